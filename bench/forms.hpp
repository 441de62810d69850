// forms.hpp: what is timed of a layer.
#pragma once
#include <chrono>
#include <string>

#include "bench/layers.hpp"
#include "lib/kernels/epilogue.hpp"

namespace lastbit::bench {

/// sums     the accumulators alone, from planes as stored
/// compare  accumulators, requantization and comparison, operands and output stored channels last
/// whole    the same from planes (NCHW) as stored: a layer verified
inline constexpr const char* forms[] = {"sums", "compare", "whole"};

struct Slot {
  double seconds = 0, pack_seconds = 0;  // of the slot's fastest call, weights packed before; packing
  std::int64_t mismatches = 0;
  std::string kernel;
};

/// A layer with what follows its sums and the bytes that a runtime stored for it.
struct Subject {
  BenchLayer layer;
  Epilogue epilogue;
  Bytes y;                          // planes
  Bytes x_last, w_last, y_last;     // channels last
  bool rows() const { return layer.g.in_positions() == 1 && layer.g.positions() == 1; }
};

/// The bytes in the other order: [n, a, b] as [n, b, a].
inline Bytes turned(const Bytes& v, std::int64_t n, std::int64_t a, std::int64_t b) {
  Bytes t(v.size());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < a; ++k)
      for (std::int64_t j = 0; j < b; ++j) t[static_cast<std::size_t>((i * b + j) * a + k)] = v[static_cast<std::size_t>((i * a + k) * b + j)];
  return t;
}
inline void turn(Subject& s) {
  const Geometry& g = s.layer.g;
  s.x_last = turned(s.layer.x, g.batch, g.groups * g.in_channels, g.in_positions());
  s.w_last = turned(s.layer.w, g.groups * g.out_channels, g.in_channels, g.taps());
  s.y_last = turned(s.y, g.batch, g.groups * g.out_channels, g.positions());
}

/// What the epilogue makes of every sum, in planes.
inline Bytes requantized(const Subject& s) {
  const Geometry& g = s.layer.g;
  Bytes y(static_cast<std::size_t>(s.layer.elements())), block;
  const OutputOrder order{g.groups * g.out_channels, g.positions(), false};
  EpilogueResult r;
  stream_sums(s.layer.request(), [&](SumBlock b) {
    block.resize(static_cast<std::size_t>(b.runs * b.acc_step + b.length));
    run_epilogue(s.epilogue, b, s.rows() ? OutputOrder{g.out_channels, 1, true} : order, {nullptr, block.data(), false}, r);
    for (std::int64_t k = 0; k < b.runs; ++k) std::copy_n(block.data() + k * b.acc_step, b.length, y.data() + b.first + k * b.step);
  });
  return y;
}

/// One call after another for at least `least` seconds.
inline Slot timed(const Subject& s, const std::string& form, double least) {
  using clock = std::chrono::steady_clock;
  const Geometry& g = s.layer.g;
  StreamRequest request = s.layer.request();
  const bool last = form == "compare";
  if (last) {
    request.operands.x = s.x_last.data();
    request.operands.w = s.w_last.data();
    request.operands.channels_last = request.operands.w_channels_last = request.channels_last = true;
  }
  request.by_position = form == "whole";
  const OutputOrder order{g.groups * g.out_channels, g.positions(), last || s.rows()};
  const std::byte* observed = last ? s.y_last.data() : s.y.data();
  Slot slot;
  double total = 0;
  int calls = 0;
  for (; total < least || calls < 2; ++calls) {
    EpilogueResult r;
    StreamNotes notes;
    std::int64_t seen = 0;
    const auto start = clock::now();
    if (form == "sums") slot.kernel = stream_sums(request, [&](const SumBlock& b) { seen += b.runs * b.length; }, &notes);
    else slot.kernel = stream_sums(request, [&](SumBlock b) { run_epilogue(s.epilogue, b, order, {observed, nullptr, false}, r); }, &notes);
    const double seconds = std::chrono::duration<double>(clock::now() - start).count();
    const double pack = notes.pack_seconds;
    total += seconds;
    if (calls == 0 || seconds - pack < slot.seconds) slot.seconds = seconds - pack, slot.pack_seconds = pack;
    slot.mismatches = form == "sums" ? s.layer.elements() - seen : static_cast<std::int64_t>(r.differ.size()) + s.layer.elements() - r.elements;
  }
  return slot;
}

}  // namespace lastbit::bench
