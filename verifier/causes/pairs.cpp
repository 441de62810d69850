// pairs: two neighbouring products share a 16-bit register that saturates (vpmaddubsw without VNNI), or do not.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates() || c.layer.in("weight").dtype != DType::int8) return all;
  if (c.cell.get("pairs", "none") == "int16") {
    Cell exact = c.cell;
    exact.with["pairs"] = "none";
    all.push_back(suspect(c, "pairs:none", "Products are summed exactly: no pair saturates to int16.", {.cell = exact}));
    return all;
  }
  const auto add = [&](const char* order, const char* outside, const char* kernels, const char* words) {
    Cell pairs = c.cell;
    pairs.with["pairs"] = "int16";
    pairs.with["pair_order"] = order;
    pairs.with["pair_outside"] = outside;
    pairs.with["kernels"] = kernels;
    all.push_back(suspect(c, "pairs:int16", std::string("Pairs of products saturate to int16 (vpmaddubsw), ") + words + ".", {.cell = pairs}));
  };
  if (c.layer.in("x").dtype != DType::uint8) return all;
  add("flat", "zero_point", "", "taps ascending, channel fastest, padding at the zero point");
  add("channels_first", "zero_point", "", "channels ascending, tap fastest");
  add("onednn", "zero", "avx2", "as oneDNN's AVX2 kernels pair them");
  add("onednn", "zero", "avx512", "as oneDNN's AVX-512 kernels pair them");
  return all;
}

}  // namespace

Cause pairs() { return {"pairs", "int16 saturation of pairs of products", {"pairs:int16", "pairs:none"}, suspects}; }

}  // namespace lastbit::causes
