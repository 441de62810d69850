// nearest_values.hpp: stages that no vector epilogue spells, judged as one rounding of a real number.
//
// Where the stages are known to lie within `doubt` of acc * multiplier + offset, an element farther than that from every place where
// something turns (a rounding boundary, an end of the range that is clamped before the rounding) has the nearest value, whatever the
// stages' own steps are. The few others are named, and the scalar stages decide them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/nearness.hpp"

namespace lastbit {

struct NearestValues {
  const std::int32_t* acc = nullptr;
  std::int64_t n = 0;                            // at most near_most
  Line line;                                     // v = acc * multiplier + offset, the zero point in it
  double low = 0, high = 255;                    // the stored range, a fused activation's included
  bool clamped_first = false;                    // the ends turn at low and high themselves, not half an LSB beyond
  bool low_is_silent = false;                    // what lies below is cut by an activation: no event
  double doubt = 0;                              // up to |v| = 512; beyond, doubt * |v| / 512
};

/// stored[i] = clamp(round(v)), a byte each. Writes the positions that are not certain to near[0...] and returns how many; adds to
/// `clamped` the certain elements that the clamp changed. stored may be written up to the next multiple of 16.
std::int64_t nearest_values(const NearestValues&, std::byte* stored, std::uint16_t* near, std::int64_t& clamped);

}  // namespace lastbit
