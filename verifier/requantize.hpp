// requantize.hpp: many accumulators through one profile's requantization, without a dump.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lastbit {

struct RequantizeOptions {
  std::string profile;            // NAME, NAME@isa or FILE.json
  std::string op = "linear";      // whose cell: linear, conv1d, conv2d, conv3d
  std::string dtype = "int8";     // of the output
  std::int64_t channels = 1;      // output channels
  std::int64_t inner = 1;         // accumulators of one channel that lie side by side: element i is of channel i / inner % channels
  /// One entry, or one a channel. More than one weight scale makes the layer a per-channel one.
  std::vector<double> scale_in{1}, scale_weight{1}, scale_out{1};
  std::vector<std::int64_t> zero_point{0};
  /// Empty, or one a channel. At most one of the two: in real units, or integers of the accumulator (scale input x weight).
  std::vector<float> bias;
  std::vector<std::int32_t> integer_bias;
};

/// acc -> stored integers; both of one length. The accumulator is the sum of (x - zx) * (w - zw) without a bias. Throws Error
/// when an option is outside its range, the profile does not requantize the operator, or an accumulator is no int32 where the
/// profile's is.
void requantize(const RequantizeOptions&, std::span<const std::int64_t> acc, std::span<std::int64_t> out);

}  // namespace lastbit
