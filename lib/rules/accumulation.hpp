// accumulation.hpp: what linear, matmul and every convolution share: geometry, accumulators, requantization, real values.
#pragma once
#include "lib/kernels/accumulate.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit {

/// Window of a convolution layer (conv1d/2d/3d, conv_transposeNd): x [N, C, spatial…], weight [O, C/g, k…] or, transposed,
/// [I, O/g, k…]. Checks strides, dilations, paddings, groups and shapes; throws Error. `dims` spatial axes.
Geometry conv_geometry(const Layer&, int dims, bool transposed);
/// x […, I], weight [O, I].
Geometry linear_geometry(const Layer&);
/// Output shape of a convolution: [N, O, out…].
Shape conv_output_shape(const Geometry&, int dims);

/// Integers that go into an accumulation. weight comes as [O, C/g, taps].
struct AccumulationInput {
  std::vector<std::int32_t> x, w;
  std::int64_t x_zero_point = 0;
  std::vector<std::int64_t> w_zero_point;  // one, or per output channel
  DType x_dtype = DType::uint8;
  double x_scale = 1;
};
/// Reads "x" and "weight"; the weight's channel axis is where its output channels lie.
AccumulationInput read_operands(const Layer&, const Geometry&, const std::string& x = "x", const std::string& w = "weight");

struct Accumulated {
  std::vector<std::int64_t> acc;   // as the profile's registers hold it
  std::vector<Events> events;      // wrapped, pair_saturated
  bool exact = true;
  std::string kernel;
};

/// By the cell's parameters:
///   accumulator   int32 (wraps; the default), int64
///   pairs         none, int16: consecutive products share a 16-bit register
///   pair_order    flat (taps ascending, channel fastest), channels_first, onednn (lib/rules/onednn_pairs.hpp), nine_taps (of four taps
///                 the first with the third), eights (of sixteen terms the first with the ninth), eights_channels_first,
///                 eights_of_tap (of sixteen channels of a tap), columns_first (taps down the columns of a window)
///   pair_outside  zero_point, zero: what a tap outside the input holds
///   tail_rule     a rule of "fixed", by which elements of the output, channels last, are rounded that no whole vector holds
///   vector        how many elements a vector holds; with tail_rule
///   pair_offset   what the runtime adds to int8 inputs to make them uint8 (0): 128; to uint8 inputs to make them int8: -128
///   pair_beyond   saturate, wrap: what becomes of a pair that int16 does not hold; wrap for int8 codes alone
///   bounds        tosa_inexact: every result that TOSA's INEXACT_ROUND allows (lib/rules/inexact.hpp)
///   bound         half_even, half_away, half_even_with_zero_point: how a fused relu6's 6 becomes an integer
Accumulated accumulate_layer(const Layer&, const Cell&, const Geometry&, const AccumulationInput&);

/// si, sw, so, zi, zo, bias, alpha for every output channel. `x_scale`, `x_zero_point` may have been chosen at run time.
RequantizeContext requantize_context(const Layer&, const Cell&, const AccumulationInput&, std::int64_t channels, const std::string& w = "weight");

/// The whole layer: accumulate, then the cell's stages. The output is quantized, float32, or the accumulator alone.
Result run_accumulation(const Layer&, const Cell&, const Geometry&, const AccumulationInput&, const Shape& out_shape);
/// acc * si * sw + bias, three ways. Takes the exact accumulators from the result where they are exact.
Real real_accumulation(const Layer&, const Result&, const Geometry&, const AccumulationInput&);

}  // namespace lastbit
