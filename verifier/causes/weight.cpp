// weight: the weight's elements lie in another order: a transposed matrix, or the reordering bug of PyTorch's transposed
// convolutions on oneDNN.
#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"

namespace lastbit::causes {
namespace {

/// w[o, c] taken from the bytes of its transpose, per tap and group; in and out channels swap roles. Or the other way round: the
/// bytes of w taken for those of its transpose. The two differ where O != C.
std::vector<std::int32_t> transposed(const Case& c, bool bytes_of_transpose) {
  const auto& g = c.geometry();
  const std::int64_t O = g.out_channels, C = g.in_channels, T = g.taps();
  const auto& w = c.input().w;
  std::vector<std::int32_t> r(w.size());
  for (std::int64_t gi = 0; gi < g.groups; ++gi)
    for (std::int64_t o = 0; o < O; ++o)
      for (std::int64_t i = 0; i < C; ++i)
        for (std::int64_t t = 0; t < T; ++t) {
          const std::int64_t flat = o * C + i;            // position in [O, C], read as [C, O]
          const std::int64_t other = i * O + o;           // position in [C, O], read as [O, C]
          const std::int64_t from = bytes_of_transpose ? (gi * O + flat % O) * C + flat / O : gi * O * C + other;
          r[static_cast<std::size_t>(((gi * O + o) * C + i) * T + t)] = w[static_cast<std::size_t>(from * T + t)];
        }
  return r;
}

/// The same over all groups at once: [g*O, C] as [C, g*O], either way round.
std::vector<std::int32_t> transposed_whole(const Case& c, bool bytes_of_transpose) {
  const auto& g = c.geometry();
  const std::int64_t O = g.groups * g.out_channels, C = g.in_channels, T = g.taps();
  const auto& w = c.input().w;
  std::vector<std::int32_t> r(w.size());
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t i = 0; i < C; ++i)
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int64_t flat = o * C + i, from = bytes_of_transpose ? flat % O * C + flat / O : i * O + o;
        r[static_cast<std::size_t>((o * C + i) * T + t)] = w[static_cast<std::size_t>(from * T + t)];
      }
  return r;
}

/// aten/src/ATen/native/quantized/cpu/qconv_prepack.cpp with ideep: per group the [I, O, taps] memory is viewed as
/// [O, I, taps] and its axes swapped to [I, O, taps], twice.
std::vector<std::int32_t> reordered(const Case& c) {
  const auto& g = c.geometry();
  const std::int64_t O = g.out_channels, I = g.in_channels, T = g.taps();
  const auto& w = c.input().w;  // [g][O][I][T]
  std::vector<std::int32_t> r(w.size());
  for (std::int64_t gi = 0; gi < g.groups; ++gi) {
    std::vector<std::int32_t> memory(static_cast<std::size_t>(I * O * T));  // as PyTorch holds it: [I, O, T]
    for (std::int64_t i = 0; i < I; ++i)
      for (std::int64_t o = 0; o < O; ++o)
        for (std::int64_t t = 0; t < T; ++t) memory[static_cast<std::size_t>((i * O + o) * T + t)] = w[static_cast<std::size_t>(((gi * O + o) * I + i) * T + t)];
    for (int pass = 0; pass < 2; ++pass) {
      std::vector<std::int32_t> next(memory.size());
      for (std::int64_t o = 0; o < O; ++o)
        for (std::int64_t i = 0; i < I; ++i)
          for (std::int64_t t = 0; t < T; ++t) next[static_cast<std::size_t>((i * O + o) * T + t)] = memory[static_cast<std::size_t>((o * I + i) * T + t)];
      memory = std::move(next);
    }
    for (std::int64_t i = 0; i < I; ++i)
      for (std::int64_t o = 0; o < O; ++o)
        for (std::int64_t t = 0; t < T; ++t) r[static_cast<std::size_t>(((gi * O + o) * I + i) * T + t)] = memory[static_cast<std::size_t>((i * O + o) * T + t)];
  }
  return r;
}

/// A float matrix product's b, transposed either way.
std::vector<Suspect> of_float_sums(const Case& c) {
  std::vector<Suspect> all;
  const auto sums = std::make_shared<const FloatSums>(c);
  for (const bool bytes_of_transpose : {true, false}) {
    const auto other = std::make_shared<const std::vector<std::int64_t>>(sums->sums_of([bytes_of_transpose](const Geometry& g, AccumulationInput& in) {
      const std::int64_t N = g.out_channels, K = g.in_channels;
      const auto w = in.w;
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t k = 0; k < K; ++k) {
          const std::int64_t flat = n * K + k, from = bytes_of_transpose ? flat % N * K + flat / N : k * N + n;
          in.w[static_cast<std::size_t>(flat)] = w[static_cast<std::size_t>(from)];
        }
    }));
    if (*other != sums->sums())
      all.push_back(float_sums_suspect(sums, "weight:transposed", "The bytes of b were read as its transpose: rows and columns swapped.", [other](std::int64_t i) { return (*other)[static_cast<std::size_t>(i)]; }));
  }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (FloatSums::applies(c)) return of_float_sums(c);
  if (!c.accumulates()) return all;
  AccumulationInput in = c.input();
  if (c.geometry().out_channels > 1 && c.geometry().in_channels > 1) {
    in.w = transposed(c, true);
    all.push_back(suspect(c, "weight:transposed", "The weight's bytes were read as its transpose: input and output channels swapped.", {.input = in}));
    if (c.geometry().out_channels != c.geometry().in_channels) {
      in.w = transposed(c, false);
      all.push_back(suspect(c, "weight:transposed", "The weight's bytes, output channels first, were read with input channels first.", {.input = in}));
    }
    if (c.geometry().transposed) {
      in.w = reordered(c);
      all.push_back(suspect(c, "weight:reordered", "The weight was reordered wrongly before the run: per group its [I, O, taps] memory was viewed as [O, I, taps] and its axes swapped, twice (PyTorch 2.13, transposed convolutions of x86 and oneDNN with I/groups != O/groups).", {.input = in}, 9));
    }
  }
  if (c.geometry().groups > 1 && c.geometry().in_channels > 1 && c.layer.op != "matmul")
    for (const bool bytes_of_transpose : {true, false}) {
      in.w = transposed_whole(c, bytes_of_transpose);
      all.push_back(suspect(c, "weight:transposed", "The weight's bytes were read as its transpose, over all groups at once.", {.input = in}));
    }
  return all;
}

}  // namespace

Cause weight() { return {"weight", "the weight's elements in another order", {"weight:transposed", "weight:reordered"}, suspects}; }

}  // namespace lastbit::causes
