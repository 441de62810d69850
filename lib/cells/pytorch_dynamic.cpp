// pytorch_dynamic.cpp: operators of ATen that quantize their input when it arrives.
//
// Scale and zero point come from quant_utils::ChooseQuantizationParams, the integers from quantize_per_tensor, so they follow
// its versions. A dynamic convolution is the static one, written with the scale and zero point of its INPUT, then dequantized:
// its output is cut to the range of the input.
//
//   aten/src/ATen/native/quantized/cpu/qconv_dynamic.cpp      PackedConvWeight::apply_dynamic
//   aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp    apply_dynamic_impl
//   aten/src/ATen/native/quantized/QTensor.cpp                quantize_per_tensor_dynamic
#include <algorithm>

#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> quantized_when_it_arrives(Cell cell) {
  cell.with["choose"] = "pytorch";
  std::vector<Cell> all;
  for (const auto& [when, rounding] : std::vector<std::pair<std::string, std::string>>{{"", "outside"}, {"build:debian", "outside_int64"}, {"version==2.13.0", "inside_fused"}}) {
    Cell c = cell;
    if (!when.empty()) c.when.push_back(when);
    c.with["rounding"] = rounding;
    all.push_back(std::move(c));
  }
  return all;
}

std::vector<Cell> dynamic_convolutions(const std::vector<Cell>& profile) {
  std::vector<Cell> all;
  for (Cell c : profile) {
    if (c.rule != "accumulate" || std::find(c.ops.begin(), c.ops.end(), "conv") == c.ops.end()) continue;
    c.ops = {"conv_dynamic"};
    std::erase(c.when, "x:uint8");  // it becomes that
    append(all, quantized_when_it_arrives(c));
  }
  return all;
}

std::vector<Cell> recurrent_layers(const std::vector<Cell>& profile) {
  std::vector<Cell> all;
  for (Cell c : profile) {
    if (c.ops != std::vector<std::string>{"linear_dynamic"}) continue;
    c.ops = {"recurrent"};
    c.rule = "per_step";
    all.push_back(std::move(c));
  }
  return all;
}

}  // namespace lastbit::cells
