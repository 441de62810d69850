// pytorch_onednn_2: PyTorch's engine "onednn" up to 2.0 (oneDNN 2.x). Chosen by the producer's version when a dump says
// pytorch-onednn.
//
// The bias is brought to the accumulator's scale and added to its float; one multiplier brings that to the output; zero point
// and saturation come before the rounding.
//
//   ideep/include/ideep/operators/conv.hpp, inner_product.hpp   (tag pytorch-rls-v2.6.0)
//   oneDNN 2.6.3 src/cpu/x64/jit_avx512_core_x8s8s32x_conv_kernel.cpp   store_output
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_onednn_2() {
  // bs = f32(f32(1/si) * f32(1/sw)): the bias's scale, and the multiplier's divisor.
  const auto stages = [](const std::string& weight) {
    const std::string bs = "(f32(1 / si) * " + weight + ")";
    return std::vector<std::string>{"float", "add f32(bias) * " + bs, "multiply f32(1 / so) / " + bs, "activation", "zero_point", "clamp", "round half_even int_min"};
  };
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  // y = (f32(acc) + f32(bias * bs)) * f32(1 / bs)
  const auto floats = [](const std::string& weight) {
    const std::string bs = "(f32(1 / si) * " + weight + ")";
    return std::vector<std::string>{"float", "add f32(bias) * " + bs, "multiply 1 / " + bs, "activation"};
  };
  const std::map<std::string, std::string> dynamic{{"accumulator", "int32"}, {"pairs", "none"}, {"choose", "pytorch"}, {"rounding", "outside_int64"}};
  Profile p{
      .name = "pytorch-onednn-2",
      .title = "PyTorch <= 2.0, engine onednn (oneDNN 2.x)",
      .sources = {"PyTorch 1.13.1 with oneDNN 2.6.3", "ideep operators/conv.hpp, inner_product.hpp (pytorch-rls-v2.6.0)", "oneDNN jit_avx512_core_x8s8s32x_conv_kernel.cpp: store_output"},
      .evidence = "measured: PyTorch 1.13.1 (Debian 12) on AVX-512 VNNI, 5.9M elements, 82,105 exact ties",
      .for_producer = {},
      .replaces = "pytorch-onednn",
      .replaces_when = {"version<2.1"},
      .isas = {"avx512_vnni"},
      .cells = {
          {{"linear", "conv", "conv_transpose"}, {"!per_channel"}, "accumulate", stages("f32(1 / sw)"), exact},
          {{"linear", "conv", "conv_transpose"}, {"per_channel"}, "accumulate", stages("(1 / f32(sw))"), exact},
          {{"linear_dynamic"}, {"!per_channel"}, "accumulate", floats("f32(1 / sw)"), dynamic},
          {{"linear_dynamic"}, {"per_channel"}, "accumulate", floats("(1 / f32(sw))"), dynamic},
      }};
  cells::append(p.cells, cells::quantized_when_it_arrives({{"quantize_dynamic"}, {}, "choose_quantize", {}, {}}));
  cells::append(p.cells, cells::dynamic_convolutions(p.cells));
  cells::append(p.cells, cells::recurrent_layers(p.cells));
  cells::append(p.cells, cells::pytorch_common());
  cells::append(p.cells, cells::pytorch_windows());
  cells::append(p.cells, cells::pytorch_elementwise());
  cells::append(p.cells, cells::pytorch_norms());
  cells::append(p.cells, cells::pytorch_images());
  return p;
}

}  // namespace lastbit::profiles
