// windows.cpp: pools, means and sums of ONNX Runtime, LiteRT and XNNPACK.
//
// ONNX Runtime's QLinearAveragePool adds the zero point before the rounding, QLinearGlobalAveragePool after it;
// with count_include_pad a window that hangs over (ceil_mode) is still divided by the whole kernel.
// LiteRT's pools keep scale and zero point, so they average stored integers. Its reference SUM reads int8 and int16 arrays as
// uint8 ones. Its optimized MEAN over the planes of an image rounds zero point and sum apart. XNNPACK takes no average pool.
// Open: whether XNNPACK's mean fuses its last two steps, and how LiteRT's mean multiplies on ARM.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_windows() {
  return {
      {{"move"}, {}, "copy", {}, {}},
      {{"max_pool"}, {}, "max", {}, {{"outside", "skip"}}},
      {{"avg_pool"}, {}, "float_sum", {}, {{"divisor", "kernel"}}},
      {{"avg_pool"}, {"whole_image"}, "range", {}, {}},  // the kernel of QLinearGlobalAveragePool
      {{"pad"}, {}, "copy", {}, {{"rounding", "divide_even"}}},
      {{"adaptive_avg_pool"}, {}, "range", {}, {}},
  };
}

std::vector<Cell> tflite_windows(const std::string& rule) {
  return {
      {{"move"}, {}, "copy", {}, {}},
      {{"max_pool"}, {}, "max", {}, {{"outside", "skip"}}},
      {{"avg_pool"}, {}, "integer_away", {}, {}},
      {{"pad"}, {}, "copy", {}, {{"rounding", "divide_away"}}},
      {{"mean"}, {}, "fixed", {}, {{"fixed", rule}}},
      {{"sum"}, {}, "fixed", {}, {{"fixed", rule}}},
      {{"sum"}, {"!x:uint8"}, "fixed_bytes", {}, {{"fixed", rule}}},
  };
}

std::vector<Cell> tflite_builtin_windows() {
  return {
      {{"mean"}, {"planes", "keepdim", "!x:int16"}, "fixed_planes", {}, {{"fixed", "double_away"}, {"block", "double_up"}}},
      {{"mean"}, {"arm"}, "fixed", {}, {{"fixed", "double_away"}, {"steps", "either"}}},
      {{"mean"}, {"arm", "planes", "keepdim", "!x:int16"}, "fixed_planes", {}, {{"fixed", "double_away"}, {"block", "double_up"}, {"steps", "either"}}},
      {{"sum"}, {}, "float_away", {}, {}},
  };
}

std::vector<Cell> xnnpack_windows() {
  return {
      {{"move"}, {}, "copy", {}, {}},
      {{"max_pool"}, {}, "max", {}, {{"outside", "skip"}}},
      {{"pad"}, {}, "copy", {}, {{"rounding", "divide_even"}}},
      {{"mean", "sum"}, {}, "float_even", {}, {{"steps", "either"}}},
  };
}

}  // namespace lastbit::cells
