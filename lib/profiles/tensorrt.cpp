// tensorrt: y = RNE(clip(acc * (si * sw / so) + bias / so)), zero points 0.
//
// NVIDIA documents the quantizer (nearest even after the clip, division by the scale), not the order of the steps inside a
// fused kernel, which also depends on the tactic. Expect one unit beside a tie.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tensorrt() {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_even"}};
  Profile p{
      .name = "tensorrt",
      .title = "TensorRT: symmetric int8, float32 epilogue",
      .sources = {"NVIDIA TensorRT documentation, quantized types: quantize, dequantize",
                  "TensorRT a892d222 (Polygraphy)"},
      .evidence = "formula only: vendor documentation; the order inside fused kernels is not published, nothing was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {
          {layers, {}, "accumulate", {"float", "multiply f32(si) * f32(sw) / f32(so)", "add f32(bias) / f32(so)", "range", "round half_even saturate", "zero_point", "clamp"}, exact},
          {layers, {"bias:int32"}, "accumulate", {"bias bias", "float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even saturate", "zero_point", "clamp"}, exact},
          {{"quantize"}, {}, "quantize", {}, {{"rounding", "divide_even"}}},
          {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
          {{"requantize"}, {}, "dequantize_quantize", {}, {{"rounding", "divide_even"}}},
      }};
  return p;
}

}  // namespace lastbit::profiles
