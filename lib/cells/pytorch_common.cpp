// pytorch_common.cpp: what ATen computes whatever the engine.
//
// PyTorch 2.13.0 alone adds the zero point inside the rounding (FBGEMM's Quantize<T, true>): fused for whole arrays, not
// fused element by element, nor anywhere on a processor without AVX2 and FMA. 2.12 and before, 2.14 and after add it to the rounded value. Builds without FBGEMM go through
// int64.
//
//   aten/src/ATen/native/quantized/AffineQuantizerBase.cpp       quantize_val, dequantize_val
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   quantize_tensor_per_channel_affine_cpu, dequantize_per_channel_affine_kernel
#include <algorithm>

#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> pytorch_common() {
  const auto rounding = [](const std::string& rule) { return std::map<std::string, std::string>{{"rounding", rule}}; };
  std::vector<Cell> cells = pytorch_tables();
  append(cells, {
      {{"quantize"}, {}, "quantize", {}, rounding("outside")},
      {{"quantize"}, {"build:debian"}, "quantize", {}, rounding("outside_int64")},
      {{"quantize"}, {"version==2.13.0"}, "quantize", {}, rounding("inside_fused")},
      {{"quantize"}, {"version==2.13.0", "y_per_channel"}, "quantize", {}, rounding("inside")},
      {{"quantize"}, {"version==2.13.0", "y:int32"}, "quantize", {}, rounding("inside")},
      {{"quantize"}, {"version==2.13.0", "y_per_channel", "arm", "y:uint8"}, "quantize", {}, {{"rounding", "outside"}, {"runs", "eights"}, {"tail", "outside_wrap"}}},  // vcvtnq, vqaddq; quantize_val_arm
      {{"quantize"}, {"y:uint4"}, "quantize", {}, rounding("outside_int64")},
      {{"quantize"}, {"y:uint2"}, "quantize", {}, rounding("outside_int64")},
      {{"quantize"}, {"y_float_zero_point"}, "quantize", {}, rounding("inside_wrap")},
      {{"quantize"}, {"version==2.13.0", "arm", "!y_per_channel"}, "quantize", {}, rounding("inside_nan_zero")},
      {{"quantize"}, {"variant:decomposed"}, "quantize", {}, rounding("reciprocal_f64")},
      {{"quantize"}, {"variant:decomposed_per_token"}, "quantize", {}, rounding("inside")},
      {{"quantize"}, {"variant:decomposed_per_token", "choose:asymmetric"}, "quantize", {}, rounding("inside_f64")},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
      {{"dequantize"}, {"x_per_channel", "!x_float_zero_point"}, "dequantize", {}, {{"multiply", "float64"}}},
      {{"dequantize"}, {"variant:decomposed"}, "dequantize", {}, {{"multiply", "float32"}}},
      {{"dequantize"}, {"variant:decomposed_per_token"}, "dequantize", {}, {{"multiply", "float64"}}},
      {{"requantize"}, {}, "dequantize_quantize", {}, rounding("outside")},
      {{"requantize"}, {"version==2.13.0"}, "dequantize_quantize", {}, rounding("inside_fused")},
      // aten/src/ATen/native/cpu/int4mm_kernel.cpp: ref_dyn_quant_matmul_4bit_channelwise_kernel, ..._groupwise_kernel
      {{"linear_dynamic"}, {"per_token"}, "per_token", {"float", "multiply f32(sw)", "multiply f32(si)", "add f32(bias)", "activation"},
       {{"choose", "int4mm"}, {"rounding", "multiply_away"}, {"reduce_range", "ignored"}, {"groups", "fma"}}},
      {{"linear", "conv", "conv_transpose"}, {"variant:float"}, "float", {}, {}},
      {{"matmul"}, {}, "float_quantize", {}, rounding("outside")},
      {{"matmul"}, {"build:debian"}, "float_quantize", {}, rounding("outside_int64")},
      {{"matmul"}, {"version==2.13.0"}, "float_quantize", {}, rounding("inside_fused")},
      {{"move"}, {}, "copy", {}, {}},
  });
  return fused_on_arm(cells);
}

namespace {

bool asks_for(const Cell& c, const char* condition) { return std::find(c.when.begin(), c.when.end(), condition) != c.when.end(); }

/// Behind every cell that change(copy) changes the copy, under one condition more.
template <class Change>
std::vector<Cell> with_copies(const std::vector<Cell>& cells, const char* condition, Change change) {
  std::vector<Cell> all;
  for (const Cell& c : cells) {
    all.push_back(c);
    Cell copy = c;
    if (!change(copy)) continue;
    copy.when.push_back(condition);
    all.push_back(std::move(copy));
  }
  return all;
}

}  // namespace

std::vector<Cell> with_scalar_fbgemm(const std::vector<Cell>& profile) {
  return with_copies(profile, "fbgemm:scalar", [](Cell& c) {
    bool fused = false;
    for (auto& [key, value] : c.with)
      if (value == "inside_fused") value = "inside", fused = true;
    return fused && !asks_for(c, "arm");
  });
}

std::vector<Cell> fused_on_arm(const std::vector<Cell>& cells) {
  return with_copies(cells, "arm", [](Cell& c) {
    bool differs = false;
    for (const char* key : {"tail", "bound", "rounding"})
      if (c.get(key) == "inside") c.with[key] = "inside_nan_zero", differs = true;
    return differs && asks_for(c, "version==2.13.0");
  });
}

}  // namespace lastbit::cells
