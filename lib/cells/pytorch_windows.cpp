// pytorch_windows.cpp: ATen's pools, means and standard deviations.
//
// avg_pool2d and 1d: channels last has a vector body (8 channels a vector with AVX2, 16 with AVX-512) whose multiplier is used
// as it is; the other channels go through a scale that is its reciprocal. A contiguous tensor adds the zero point before the
// rounding. avg_pool3d is always channels last inside. Adaptive pools take the reciprocal in body and tail (8 channels on any
// AVX); contiguous tensors average the codes. One channel, or one position, counts as channels last in up to two dimensions.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {
namespace {

std::map<std::string, std::string> channels(const char* width, const char* body, const char* tail) { return {{"width", width}, {"body", body}, {"tail", tail}}; }

/// A table's cells once for the rounding of its version, and once for 2.13.0's.
void by_version(std::vector<Cell>& cells, const std::vector<std::string>& ops, const std::vector<std::string>& when, const char* width, bool multiply) {
  cells.push_back({ops, when, "channels", {}, channels(width, multiply ? "multiply" : "outside", "outside")});
  auto later = when;
  later.push_back("version==2.13.0");
  cells.push_back({ops, later, "channels", {}, channels(width, multiply ? "multiply" : "inside_fused", "inside")});
}

}  // namespace

std::vector<Cell> pytorch_windows() {
  std::vector<Cell> c{
      {{"max_pool"}, {}, "max", {}, {{"outside", "skip"}}},
      {{"avg_pool"}, {}, "inside", {}, {}},
      {{"adaptive_avg_pool"}, {}, "codes", {}, {}},
      {{"mean"}, {}, "float_sum", {}, {{"rounding", "outside"}}},
      {{"mean"}, {"build:debian"}, "float_sum", {}, {{"rounding", "outside_int64"}}},
      {{"mean"}, {"version==2.13.0"}, "float_sum", {}, {{"rounding", "inside_fused"}, {"order", "cascade"}}},
      {{"mean"}, {"version==2.13.0", "arm"}, "float_sum", {}, {{"rounding", "inside_fused"}}},
      {{"mean"}, {"inner"}, "codes", {}, {}},
      {{"std"}, {}, "welford", {}, {{"rounding", "outside"}}},
      {{"std"}, {"build:debian"}, "welford", {}, {{"rounding", "outside_int64"}}},
      {{"std"}, {"version==2.13.0"}, "welford", {}, {{"rounding", "inside_fused"}}},
      {{"std"}, {"inner"}, "codes", {}, {{"rounding", "outside"}}},
      {{"std"}, {"inner", "version==2.13.0"}, "codes", {}, {{"rounding", "inside"}}},
  };
  for (const char* held : {"channels_last", "three_axes"}) {
    by_version(c, {"avg_pool"}, {held}, "8", true);
    by_version(c, {"avg_pool"}, {held, "avx512"}, "16", true);
    c.push_back({{"avg_pool"}, {held, "avx512", "version<2.0"}, "channels", {}, channels("8", "multiply", "outside")});  // AVX2's, unless asked otherwise
    by_version(c, {"avg_pool"}, {held, "no_avx2"}, "0", true);
    by_version(c, {"avg_pool"}, {held, "arm"}, "0", true);
  }
  by_version(c, {"adaptive_avg_pool"}, {"channels_last"}, "8", false);
  by_version(c, {"adaptive_avg_pool"}, {"channels_last", "no_avx2"}, "0", false);
  by_version(c, {"adaptive_avg_pool"}, {"channels_last", "arm"}, "0", false);
  // adaptive_avg_pool3d to one position is ATen's mean over the spatial axes.
  c.insert(c.end(), {
      {{"adaptive_avg_pool"}, {"three_axes", "one_output"}, "mean_float", {}, {{"rounding", "outside"}}},
      {{"adaptive_avg_pool"}, {"three_axes", "one_output", "build:debian"}, "mean_float", {}, {{"rounding", "outside_int64"}}},
      {{"adaptive_avg_pool"}, {"three_axes", "one_output", "version==2.13.0"}, "mean_float", {}, {{"rounding", "inside_fused"}, {"order", "cascade"}}},
      {{"adaptive_avg_pool"}, {"three_axes", "one_output", "version==2.13.0", "arm"}, "mean_float", {}, {{"rounding", "inside_fused"}}},
      {{"adaptive_avg_pool"}, {"three_axes", "one_output", "contiguous"}, "mean_codes", {}, {}},
  });
  return fused_on_arm(c);
}

/// QNNPACK's own pools: quint8, floor mode, up to two axes; what it does not take is ATen's.
std::vector<Cell> qnnpack_windows() {
  return {
      {{"max_pool"}, {"x:uint8", "!ceil_mode", "!three_axes"}, "max", {}, {{"outside", "border"}}},
      {{"avg_pool"}, {"x:uint8", "!ceil_mode", "!three_axes"}, "full_kernel", {}, {}},
      {{"adaptive_avg_pool"}, {"x:uint8", "even", "!identity", "!three_axes"}, "full_kernel", {}, {}},
      {{"mean"}, {"x:uint8", "image_mean"}, "full_kernel", {}, {}},
  };
}

}  // namespace lastbit::cells
