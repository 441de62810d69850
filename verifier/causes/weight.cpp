// weight: the weight's elements lie in another order: a transposed matrix, or the reordering bug of PyTorch's transposed
// convolutions on oneDNN.
#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"

namespace lastbit::causes {
namespace {

/// w[o, c] taken from the bytes of its transpose, per tap and group; in and out channels swap roles. Or the other way round: the
/// bytes of w taken for those of its transpose. The two differ where O != C. `whole`: over all groups at once, [g*O, C] as [C, g*O].
Reading transposed(const Case& c, bool bytes_of_transpose, bool whole = false) {
  const auto& g = c.geometry();
  const std::int64_t O = whole ? g.groups * g.out_channels : g.out_channels, C = g.in_channels, T = g.taps();
  return {.place = [=](std::int64_t at) {
    const std::int64_t t = at % T, i = at / T % C, row = at / T / C, o = row % O, group = row / O;
    const std::int64_t flat = o * C + i;  // position in [O, C], read as [C, O]; or position in [C, O], read as [O, C]:
    return (group * O * C + (bytes_of_transpose ? flat % O * C + flat / O : i * O + o)) * T + t;
  }};
}

/// aten/src/ATen/native/quantized/cpu/qconv_prepack.cpp with ideep: per group the [I, O, taps] memory is viewed as
/// [O, I, taps] and its axes swapped to [I, O, taps], twice.
Reading reordered(const Case& c) {
  const auto& g = c.geometry();
  const std::int64_t O = g.out_channels, I = g.in_channels, T = g.taps();
  return {.place = [=](std::int64_t at) {
    const std::int64_t t = at % T, i = at / T % I, row = at / T / I, group = row / O;
    std::int64_t flat = i * O + row % O;  // in [I, O], each pass taken from [O, I]
    for (int pass = 0; pass < 2; ++pass) flat = flat % O * I + flat / O;
    return ((group * O + flat % O) * I + flat / O) * T + t;
  }};
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
  const auto& g = c.geometry();
  const auto add = [&](const char* name, const char* sentence, Reading w, int rank = 10) { all.push_back(suspect(c, name, sentence, {.input = OtherOperands({.w = std::move(w)})}, rank)); };
  if (g.out_channels > 1 && g.in_channels > 1) {
    add("weight:transposed", "The weight's bytes were read as its transpose: input and output channels swapped.", transposed(c, true));
    if (g.out_channels != g.in_channels) add("weight:transposed", "The weight's bytes, output channels first, were read with input channels first.", transposed(c, false));
    if (g.transposed)
      add("weight:reordered", "The weight was reordered wrongly before the run: per group its [I, O, taps] memory was viewed as [O, I, taps] and its axes swapped, twice (PyTorch 2.13, transposed convolutions of x86 and oneDNN with I/groups != O/groups).", reordered(c), 9);
  }
  if (g.groups > 1 && g.in_channels > 1 && c.layer.op != "matmul")
    for (const bool bytes_of_transpose : {true, false}) add("weight:transposed", "The weight's bytes were read as its transpose, over all groups at once.", transposed(c, bytes_of_transpose, true));
  return all;
}

}  // namespace

Cause weight() { return {"weight", "the weight's elements in another order", {"weight:transposed", "weight:reordered"}, suspects}; }

}  // namespace lastbit::causes
