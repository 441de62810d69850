// pairs: two neighbouring products share a 16-bit register that saturates (vpmaddubsw without VNNI), or do not.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

/// Recurrent layers, run anew: their operands are those of linear layers.
std::vector<Suspect> of_steps(const Case& c) {
  const bool paired = c.cell.get("pairs", "none") == "int16";
  const auto with = [&](const char* pairs) {
    Cell other = c.cell;
    other.with["pairs"] = pairs, other.with["pair_order"] = "flat", other.with["pair_outside"] = "zero_point";
    return [&c, other](const std::vector<std::int64_t>& elements) { return c.rerun(c.layer, other, elements); };
  };
  if (paired) return {{"pairs:none", "Products are summed exactly: no pair saturates to int16.", 10, with("none"), true}};
  return {{"pairs:int16", "Pairs of products saturate to int16 (vpmaddubsw), channel by channel.", 10, with("int16"), true}};
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (c.cell.rule == "per_step") return of_steps(c);
  if (!c.accumulates() || info(c.right().dtype).bits != 8 || info(c.left().dtype).bits != 8) return all;
  if (c.cell.get("pairs", "none") == "int16") {
    Cell exact = c.cell;
    exact.with["pairs"] = "none";
    all.push_back(suspect(c, "pairs:none", "Products are summed exactly: no pair saturates to int16.", {.cell = exact}));
    return all;
  }
  const auto add = [&](const char* order, const char* outside, const char* kernels, const char* offset, const char* words) {
    Cell pairs = c.cell;
    pairs.with["pairs"] = "int16";
    pairs.with["pair_order"] = order;
    pairs.with["pair_outside"] = outside;
    pairs.with["kernels"] = kernels;
    pairs.with["pair_offset"] = offset;
    all.push_back(suspect(c, "pairs:int16", std::string("Pairs of products saturate to int16 (vpmaddubsw), ") + words + ".", {.cell = pairs}));
  };
  if (c.right().dtype == DType::uint8) {
    if (c.left().dtype != DType::int8) return all;
    add("flat", "zero_point", "", "0", "the operands swapped, taps ascending, channel fastest");
    add("channels_first", "zero_point", "", "0", "the operands swapped, channels ascending, tap fastest");
    return all;
  }
  const bool convolution = c.layer.op.rfind("conv", 0) == 0;
  if (c.left().dtype == DType::int8) {
    add("flat", "zero_point", "", "0", "of the signed codes as they are");
    add("flat", "zero_point", "", "128", "the codes made unsigned, taps ascending, channel fastest");
    if (convolution) add("channels_first", "zero_point", "", "128", "the codes made unsigned, channels ascending, tap fastest");
  }
  if (c.left().dtype != DType::uint8) return all;
  add("flat", "zero_point", "", "0", "taps ascending, channel fastest, padding at the zero point");
  if (convolution) {
    add("flat", "zero", "", "0", "taps ascending, channel fastest, padding at 0");
    add("channels_first", "zero_point", "", "0", "channels ascending, tap fastest");
  }
  if (c.layer.op == "linear" || convolution) {
    add("onednn", "zero", "avx2", "0", "as oneDNN's AVX2 kernels pair them");
    add("onednn", "zero", "avx512", "0", "as oneDNN's AVX-512 kernels pair them");
  }
  return all;
}

}  // namespace

Cause pairs() { return {"pairs", "int16 saturation of pairs of products", {"pairs:int16", "pairs:none"}, suspects}; }

}  // namespace lastbit::causes
