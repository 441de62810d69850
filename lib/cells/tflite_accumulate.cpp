// tflite_accumulate.cpp: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED and QUANTIZE (integers to integers) of
// LiteRT: the reference kernels, and what ruy and the vector code change.
//
// The multiplier is si * sw / so in float64, but with one weight scale some kernels form si * sw in float32. int16 inputs
// with a 64-bit bias have a 64-bit accumulator and a 16-bit multiplier; with a 32-bit bias they are like int8. FULLY_CONNECTED
// of the reference kernels is not fixed point at all.
//
//   tflite/kernels/kernel_util.cc            PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized
//   tflite/kernels/internal/common.cc        MultiplyByQuantizedMultiplier
//   tflite/kernels/conv.cc                   EvalQuantized, EvalQuantizedPerChannel, EvalQuantizedPerChannel16x8
//   tflite/kernels/cpu_backend_gemm_custom_gemv.h       CustomGemvImpl: vqrdmulh, vrshl
//   tflite/kernels/internal/optimized/optimized_ops.h   Quantize: blocks of 8 channels, then a loop
//   tflite/kernels/cpu_backend_context.cc    PreferGemmlowpOnX86
//   ruy/kernel_avx2_fma.cc, kernel_avx512.cc, kernel_arm64.cc, apply_multiplier.cc
//   gemmlowp/internal/output.h               OutputStageScaleInt32ByFixedPointAndExponent
#include "lib/cells/cells.hpp"

namespace lastbit::cells {
namespace {

const std::string in_double = "si * sw / so", in_single = "f64(f32(si) * f32(sw)) / so";
const std::map<std::string, std::string> int32_sum{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_away"}};
const std::map<std::string, std::string> int64_sum{{"accumulator", "int64"}, {"pairs", "none"}, {"bound", "half_away"}};

std::vector<std::string> fixed(const std::string& rule, const std::string& multiplier) {
  return {"bias bias", "fixed " + rule + " " + multiplier, "zero_point", "clamp"};
}
const std::vector<std::string> reduced{"bias64 bias", "fixed reduced si * sw / so", "zero_point", "clamp"};
const std::vector<std::string> rounded_double{"bias64 bias", "double", "multiply si * sw / so", "round half_away exact", "zero_point", "clamp"};

}  // namespace

std::vector<Cell> tflite_reference_accumulate(const std::string& rule) {
  return {
      {{"conv", "conv_transpose"}, {}, "accumulate", fixed(rule, in_double), int32_sum},
      {{"conv", "conv_transpose"}, {"x:uint8"}, "accumulate", fixed(rule, in_single), int32_sum},
      {{"conv", "conv_transpose"}, {"x:int16"}, "accumulate", reduced, int64_sum},
      {{"conv", "conv_transpose"}, {"x:int16", "bias_dtype:int32"}, "accumulate", fixed(rule, in_double), int32_sum},
      {{"linear"}, {}, "accumulate", rounded_double, int32_sum},
      {{"linear"}, {"x:int16"}, "accumulate", rounded_double, int64_sum},
      {{"linear"}, {"x:int16", "weight:int16"}, "accumulate", reduced, int64_sum},
      {{"requantize"}, {}, "stages", {"fixed " + rule + " si / so", "zero_point", "clamp"}, {}},
  };
}

std::vector<Cell> tflite_ruy_accumulate(const std::string& rule) {
  auto flat_blocks = int32_sum;  // Quantize of one multiplier runs over the whole output
  flat_blocks.insert({{"vector", "16"}, {"tail_rule", "double_away"}});
  const std::string channels = "double_up/8/double_away", elements = "double_up/16/double_away";
  std::vector<Cell> cells{
      {{"conv"}, {"!grouped", "!tflite_depthwise", "!x:int16"}, "accumulate", fixed(rule, in_double), int32_sum},
      {{"conv"}, {"!grouped", "!tflite_depthwise", "x:uint8"}, "accumulate", fixed(rule, in_single), int32_sum},
      {{"conv"}, {"!grouped", "!tflite_depthwise", "x:int16", "bias_dtype:int32"}, "accumulate", fixed(rule, in_double), int32_sum},
      {{"conv"}, {"tflite_depthwise", "x:int8"}, "accumulate", fixed(channels, in_double), int32_sum},
      {{"conv_transpose"}, {"x:int8"}, "accumulate", fixed(channels, in_double), int32_sum},
      {{"conv_transpose"}, {"x:uint8"}, "accumulate", fixed("double_up", in_single), flat_blocks},
      {{"linear"}, {"!x:int16"}, "accumulate", fixed(rule, in_single), int32_sum},
      {{"linear"}, {"!x:int16", "several_scales"}, "accumulate", fixed(rule, in_double), int32_sum},
      {{"linear"}, {"x:int16", "!bias_dtype:int64"}, "accumulate", fixed(rule, in_single), int32_sum},
      {{"linear"}, {"x:int16", "!bias_dtype:int64", "several_scales"}, "accumulate", fixed(rule, in_double), int32_sum},
  };
  // One column goes past ruy, to NEON code (SSE4.1 on x86) that rounds twice, half up.
  for (const std::string op : {"conv", "linear"}) {
    cells.push_back({{op}, {"gemv", "!tflite_depthwise", "!x:int16"}, "accumulate", fixed("double_up", op == "conv" ? in_double : in_single), int32_sum});
    cells.push_back({{op}, {"gemv", "!tflite_depthwise", op == "conv" ? "x:uint8" : "several_scales", "!x:int16"}, "accumulate", fixed("double_up", op == "conv" ? in_single : in_double), int32_sum});
  }
  for (const std::string x : {"x:int8", "x:uint8"})
    for (const std::string y : {"y:int8", "y:uint8"})
      cells.push_back({{"requantize"}, {x, y}, "stages", {"fixed " + elements + " si / so", "zero_point", "clamp"}, {}});
  return cells;
}

std::vector<Cell> tflite_ruy_portable_accumulate() {
  // Below AVX ruy's portable kernel runs, which rounds once; with int16 below AVX2, too. uint8 is gemmlowp's there.
  std::vector<Cell> cells;
  for (const std::string op : {"conv", "linear"}) {
    std::vector<std::string> any{"!gemv", "isa:sse4.1"}, wide{"no_avx2", "x:int16", op == "conv" ? "bias_dtype:int32" : "!bias_dtype:int64"};
    if (op == "conv")
      for (auto* when : {&any, &wide}) when->insert(when->begin(), {"!grouped", "!tflite_depthwise"});
    const auto add = [&](std::vector<std::string> when, const std::string& last, const std::string& rule, const std::string& multiplier) {
      if (!last.empty()) when.push_back(last);
      cells.push_back({{op}, when, "accumulate", fixed(rule, multiplier), int32_sum});
    };
    add(any, "x:int8", "single", op == "conv" ? in_double : in_single);
    add(any, "x:uint8", "double_away_saturating", in_single);
    add(wide, "", "single", op == "conv" ? in_double : in_single);
    if (op == "linear")
      for (auto* when : {&any, &wide}) when->push_back("several_scales"), add(*when, when == &any ? "x:int8" : "", "single", in_double);
  }
  return cells;
}

}  // namespace lastbit::cells
