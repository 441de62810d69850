// pt2e: a PT2E reference model (torchao or torch.ao): decomposed quantize and dequantize around float operators.
//
// The float sum's order is the backend's, so a product is known within (K + 1) * 2^-24 * sum |x * w|: elements that lie so near a
// boundary are given as an interval.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pt2e() {
  Profile p{
      .name = "pt2e",
      .title = "PyTorch PT2E: float operators between quantize and dequantize",
      .sources = {"PyTorch 2.13.0",
                  "torch/ao/quantization/fx/_decomposed.py: quantize_per_tensor, dequantize_per_tensor",
                  "aten/src/ATen/native: linear, convolution in float32"},
      .evidence = "measured: quantize and dequantize of PyTorch 2.13.0; float sums within their bound",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::pytorch_common());
  cells::append(p.cells, {
      {{"quantize"}, {}, "quantize", {}, {{"rounding", "reciprocal_f64"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
      {{"linear", "conv"}, {}, "float", {}, {{"rounding", "reciprocal_f64"}}},
      {{"requantize"}, {}, "dequantize_quantize", {}, {{"rounding", "reciprocal_f64"}}},
  });
  return p;
}

}  // namespace lastbit::profiles
