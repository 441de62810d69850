// window_plan.hpp: where a convolution's taps read in a padded input, forward and transposed alike.
//
// A transposed convolution of stride s is s interleaved convolutions of stride 1 (phases): outputs with the same (o + begin) mod s read
// through the same taps. A forward convolution has one phase. Axes are independent; a phase of the layer is one of each axis.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "lib/kernels/accumulate.hpp"

namespace lastbit {

struct AxisTap {
  std::int64_t tap = 0, offset = 0;  // reads at padded position base + offset
};
struct AxisPlan {
  std::int64_t before = 0, after = 0;           // padding that the taps need
  std::vector<std::vector<AxisTap>> phases;     // taps of each phase
  std::vector<std::int64_t> base;               // of each output position, in the padded input
  std::vector<std::int32_t> phase;              // of each output position
};

/// Which taps of an axis read the input, and not padding: kind 0 is all of them.
struct AxisInside {
  struct Range {
    std::int64_t first, end;
    bool operator==(const Range&) const = default;
  };
  std::vector<Range> kinds;
  std::vector<std::int32_t> kind;  // of each output position
};

struct WindowPlan {
  std::array<AxisPlan, 3> axis;
  std::array<std::int64_t, 3> padded{1, 1, 1}, kernel{1, 1, 1};
  std::int64_t phase_count = 1;

  std::int64_t padded_positions() const { return padded[0] * padded[1] * padded[2]; }
  bool is_padded() const;
  /// Taps of a phase with their offsets in padded positions.
  std::vector<AxisTap> taps(std::int64_t phase) const;
};

/// Of a forward convolution's axis. One kind where they are not told apart, where there are many, or where less than one tap of a hundred reads padding.
AxisInside axis_inside(const Geometry&, std::size_t axis, bool apart);

/// The plan, with every output's base position and phase per axis.
WindowPlan window_plan(const Geometry&);

}  // namespace lastbit
