// conv_facts.cpp: see conv_facts.hpp.
#include "lib/rules/conv_facts.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/rules/onednn_pairs.hpp"
#include "lib/rules/unordered_sum.hpp"

namespace lastbit {

std::vector<Port> conv_inputs(int dims, bool transposed) {
  const std::string k = dims == 1 ? "k" : dims == 2 ? "kh, kw" : "kd, kh, kw";
  return {{"x", "uint8, int8, int16 [N, C, spatial]"},
          {"weight", "int8, uint8, int4 " + std::string(transposed ? "[I, O/groups, " : "[O, I/groups, ") + k + "]"},
          {"bias", "float32, int32 or int64 [O]", true}};
}

std::vector<AttributeSpec> conv_attributes(bool transposed) {
  std::vector<AttributeSpec> all{{"stride", "integers >= 1, one per spatial axis (1)"},
                                 {"padding", "integers >= 0, one per spatial axis, or begins then ends (0)"},
                                 {"dilation", "integers >= 1, one per spatial axis (1)"},
                                 {"groups", "integer >= 1 (1)"},
                                 {"activation", "none, relu, relu6, leaky_relu, tanh or {min, max} in the output's integers (none)"},
                                 {"bias_dtype", "int32, int64: of int16 layers"},
                                 {"variant", "decomposed, float (PT2E)"}};
  if (transposed) all.push_back({"output_padding", "integers >= 0, less than stride or dilation (0)"});
  return all;
}

void expect_conv_output(const Layer& layer, const Shape& shape) {
  if (!layer.has_out("y") && !layer.has_out("accumulator")) throw Error(layer.place, "found no output \"y\" or \"accumulator\", expected one");
  expect_shape(layer, "y", shape);
  expect_shape(layer, "accumulator", shape);
}

namespace {

/// jit_uni_x8s8s32x_deconvolution.cpp init_conf, channels in blocks of 8 (AVX2) or 4 (SSE4.1): it computes a run of output columns at
/// once, as many as there are registers for beside the channels, and takes a layer where such a run, a multiple of the stride,
/// holds every column from which the kernel reaches over the left or the right end.
bool deconvolution_fits(const Geometry& g, int dims, std::int64_t block) {
  constexpr std::int64_t registers = 12;
  std::int64_t blocks = 1;
  if (g.groups > 1 && g.in_channels == 1 && g.out_channels == 1) {
    if (dims == 3) return false;
  } else {
    if (g.groups > 1 && (g.in_channels % block || g.out_channels % block)) block = 4;
    if (g.groups > 1 && (g.in_channels % block || g.out_channels % block)) return false;
    blocks = (g.out_channels + block - 1) / block;
  }
  for (std::size_t a = 3 - static_cast<std::size_t>(dims); a < 3; ++a)
    if ((g.stride[a] > 1 && g.dilation[a] > 1) || g.begin[a] > g.dilation[a] * (g.kernel[a] - 1)) return false;
  const std::int64_t stride = g.stride[2], reach = g.dilation[2] * (g.kernel[2] - 1), begin = g.begin[2];
  const std::int64_t end = (g.in[2] - 1) * stride + reach + 1 - g.out[2] - begin;
  std::int64_t together = std::min<std::int64_t>(4, blocks);
  while (together > 1 && (blocks % together || begin > registers / (together + 1))) --together;
  std::int64_t run = registers / (together + 1);
  if (g.out[2] < run) return true;
  const auto reaches = [&](std::int64_t over) { return std::max<std::int64_t>(0, over / stride) * stride; };
  for (; run >= 1; --run)
    if (run % stride == 0 && run >= reaches(reach - begin) && run >= reaches(reach - std::max<std::int64_t>(0, end) - g.out[2] % run)) return true;
  return false;
}

}  // namespace

void conv_facts(const Layer& layer, const Geometry& g, int dims, std::set<std::string>& f) {
  const std::size_t first = 3 - static_cast<std::size_t>(dims);
  const auto all = [&](auto condition) {
    for (std::size_t a = first; a < 3; ++a)
      if (!condition(a)) return false;
    return true;
  };
  // The end padding that makes this output size: torch pads both sides alike.
  if (g.in_channels == 1) f.insert("one_channel");
  if (g.groups > 1 && (g.in_channels % 4 || g.out_channels % 4) && (dims == 3 || g.in_channels > 1 || g.out_channels > 1)) f.insert("onednn_reference");
  if (g.groups > 1 && onednn_falls_to_gemm(layer, g)) f.insert("onednn_gemm");
  if (g.in_channels == 1 && g.out_channels == 1) f.insert("one_by_one");
  if (is_gemv(g)) f.insert("gemv");
  if (g.taps() <= 25) f.insert("taps_to_25");
  if (g.groups > 1 && g.groups % 8 == 0 && g.in_channels == 1 && g.out_channels == 1) f.insert("mlas_depthwise");
  if (dims == 3 && !g.transposed && g.groups > 1 && g.in_channels == 1 && g.out_channels == 1 && all([&](std::size_t a) { return g.kernel[a] == 3; })) f.insert("depthwise_27");
  if (g.taps() == 9 && g.groups % 16 == 0) f.insert("mlas_nine_taps");
  if (g.groups == 1 && g.taps() > 1 && g.in_channels >= 64 && g.in_channels % 8 == 0 && g.out_channels % 8 == 0) f.insert("mlas_indirect");
  if (!g.transposed && all([&](std::size_t a) { return g.kernel[a] == 1 && g.stride[a] == 1 && g.begin[a] == 0 && g.out[a] == g.in[a]; })) f.insert("pointwise");
  // TFLite has two operators: DEPTHWISE_CONV_2D stores [1, H, W, C * multiplier], CONV_2D [O, H, W, I / groups].
  const auto& axes = layer.in("weight").stored_axes;
  if (!g.transposed && g.in_channels == 1 && (axes.empty() ? g.groups > 1 : axes[0] == dims + 1)) f.insert("tflite_depthwise");
  const bool same = all([&](std::size_t a) { return g.begin[a] == (g.kernel[a] - 1) / 2; });
  const bool unit_dilation = all([&](std::size_t a) { return g.dilation[a] == 1; });
  if (g.groups > 1 && g.in_channels == 1 && g.out_channels == 1 && unit_dilation) f.insert("onednn_depthwise");
  const bool small_stride = all([&](std::size_t a) { return g.stride[a] == 1 || g.stride[a] == 2; });
  const bool odd_kernel = all([&](std::size_t a) { return g.kernel[a] == 3 || g.kernel[a] == 5 || g.kernel[a] == 7; });
  if (!g.transposed && dims >= 2 && g.in_channels == 1 && (g.out_channels == 1 || g.out_channels == 2) && g.groups % 8 == 0 && small_stride &&
      g.kernel[1] == g.kernel[2] && odd_kernel && unit_dilation && same)
    f.insert("fbgemm_depthwise");
  if (g.transposed) {
    bool extra = false;
    for (std::size_t a = first; a < 3; ++a) {
      const std::int64_t plain = (g.in[a] - 1) * g.stride[a] - 2 * g.begin[a] + g.dilation[a] * (g.kernel[a] - 1) + 1;
      extra |= g.out[a] != plain;
    }
    if (extra) f.insert("output_padding");
    // With AVX-512: brg_deconv takes strides that divide the output, undilated, but no small groups; the other generated kernels take no axis
    // that is both strided and dilated, no window that can lie in the padding, and groups only with channels in fours, or
    // depthwise in 1-d and 2-d, or without stride.
    const bool both = !all([&](std::size_t a) { return g.stride[a] == 1 || g.dilation[a] == 1; }), unit_stride = all([&](std::size_t a) { return g.stride[a] == 1; });
    const bool fours = g.in_channels % 4 == 0 && g.out_channels % 4 == 0, depthwise = g.in_channels == 1 && g.out_channels == 1;
    const bool divides = all([&](std::size_t a) { return g.out[a] % g.stride[a] == 0; }), inside = all([&](std::size_t a) { return g.begin[a] <= g.dilation[a] * (g.kernel[a] - 1); });
    const bool strided = unit_dilation && !unit_stride && divides && !(g.groups > 1 && fours && g.in_channels <= 16);
    if (both || (!strided && (!inside || (g.groups > 1 && !fours && (depthwise ? dims == 3 : !unit_stride))))) f.insert("onednn_col2im");
    if (both || !inside || (g.groups > 1 && !fours && (!depthwise || dims == 3))) f.insert("onednn_2_col2im");
    if (!deconvolution_fits(g, dims, 4)) {
      f.insert("onednn_col2im_sse41");
      if (!deconvolution_fits(g, dims, 8)) f.insert("onednn_col2im_avx2");
    }
    if (dims == 2 && g.groups == 1 && g.in_channels % 8 == 0 && g.out_channels % 8 == 0 && g.kernel[1] == 2 && g.kernel[2] <= 6 && small_stride &&
        g.begin[1] == 0 && g.begin[2] == 0 && unit_dilation)
      f.insert("fbgemm_direct");
    if (g.in_channels != g.out_channels && g.in_channels > 1 && g.out_channels > 1) f.insert("unequal_channels");
  }
}

bool is_gemv(const Geometry& g) { return !g.transposed && g.groups == 1 && g.batch * g.positions() == 1 && g.out_channels >= 4 && g.terms() >= 8; }

bool rows_in_eights(const Geometry& g) { return g.batch > 28 || g.batch % 8 > 4; }

Result run_convolution(const Layer& layer, const Cell& cell, const Geometry& g, const Shape& shape) {
  if (cell.rule == "float") return run_float_products(layer, cell, g, shape);
  if (is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected an integer type (a float layer between q/dq pairs has the variant \"float\")");
  return run_accumulation(layer, cell, g, read_operands(layer, g), shape);
}

Real real_convolution(const Layer& layer, const Result& result, const Geometry& g) {
  return is_float(layer.in("weight").dtype) || is_float(layer.in("x").dtype) ? real_float_products(layer, g) : real_accumulation(layer, result, g, read_operands(layer, g));
}

}  // namespace lastbit
