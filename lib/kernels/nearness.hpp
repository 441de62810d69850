// nearness.hpp: how far a run of sums lies from the nearest stored value, in vectors: what the exact form and the evidence look at.
//
// The real number of sum i, in LSB of the output with the zero point in it: v = acc * multiplier + offset. Loops of elementwise
// float64 (float32) steps, and reductions of integers and of maxima alone: no order of elements, width of vectors or host changes a result.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace lastbit {

/// Constants of a run: one channel's (step 0), or those of consecutive channels (step 1); from run to run, the same or the next channel's.
struct Line {
  const double* multiplier = nullptr;
  const double* offset = nullptr;
  int step = 0, run_step = 0;
};

/// The same constants in float32 parts, and what lies inside the range: with them an error is v's to 2e-7 where it is at most 1,
/// fma(-acc, multiplier, stored - offset) - (acc * multiplier_rest + offset_rest), for |acc| <= 2^24. Steps are the line's.
struct SplitLine {
  const float *multiplier = nullptr, *multiplier_rest = nullptr;
  const float *offset = nullptr, *offset_rest = nullptr;  // offset: in steps of 2^-14, below 2^9
  /// Sums whose v lies inside the range. (Where every sum is clamped, the extreme one, 2^31 - 1 or -2^31, counts as inside.)
  const std::int32_t *least = nullptr, *most = nullptr;
};

/// Added up over runs; integers only, so that their order does not matter. An element of ByteSums lies below or above the range, or inside, by
/// its error in float32.
struct NearTotals {
  std::int64_t elements = 0, wrong = 0;          // wrong: not the nearest value, of the elements farther than `bound` from a boundary
  double largest = 0;                            // |stored - clamped v|
  std::int64_t stored = 0, below = 0, above = 0; // sum of what is stored; how many elements a clamp decides
  std::int64_t first = 0, second = 0;            // of ByteSums: sums of a and of b over the elements inside the range
  std::array<std::int64_t, 40> histogram{};      // of stored - clamped v rounded to 6 decimals: bins of 0.05 over [-1, 1)
};

/// A channel's elements inside the range: how many, and what their sums add up to.
struct Inside {
  std::int64_t count = 0, sum = 0;
};

/// Runs of sums, one after the other: sum i of run r is acc[r * acc_step + i], its constants line.multiplier[r * line.run_step + i * line.step].
struct NearRequest {
  const std::int32_t* acc = nullptr;
  const std::byte* stored = nullptr;             // what the profile gives: stored[r * stored_step + i]
  bool is_signed = false;                        // int8 rather than uint8
  std::int64_t n = 0, runs = 1;                  // sums of a run, at most near_most; all runs: at most near_together
  std::int64_t acc_step = 0, stored_step = 0;
  Line line;
  SplitLine split;                               // least and most always, float32 parts where they hold
  double low = 0, high = 255;                    // the stored range
  double bound = 0;                              // error of v
  Inside* inside = nullptr;                      // added to at the line's places
  std::int64_t largest_inside = 0x7FFFFFFF;      // |acc| of an element inside the range
  double doubt = 0;                              // distance from a rounding boundary up to which an element is near
  const std::int32_t* peak = nullptr;            // acc's places: with it, elements are near up to doubt + peak * margin.multiplier + margin.offset
  Line margin;                                   // its steps are the line's
};
inline constexpr std::int64_t near_most = 1024, near_together = 16384;

/// Adds runs to the totals. Writes the positions r * n + i where v lies within `doubt` of the middle between two integers, clamped ones
/// beyond the first aside, to near[0...]; returns how many. Some that lie 4e-7 farther may be among them.
std::int64_t measure(const NearRequest&, std::uint16_t* near, NearTotals&);

/// Runs as above, with constants in float32.
struct NearSums {
  const std::int32_t* acc = nullptr;
  std::int64_t n = 0, runs = 1, acc_step = 0;
  const float *multiplier = nullptr, *offset = nullptr;
  int step = 0, run_step = 0;
};
/// Those positions alone, from float32 values: v = f32(f32(f32(acc) * multiplier) + offset); `doubt` holds their error too.
std::int64_t find_near(const NearSums&, float doubt, std::uint16_t* near);

/// Sums of two bytes' multiples: v = a * a_step + (b * b_step + offset), in LSB of the output, the zero points in the offset.
struct ByteSums {
  const std::byte *a = nullptr, *b = nullptr;
  bool a_signed = false, b_signed = false;       // int8 rather than uint8
  double a_step = 0, b_step = 0, offset = 0;
};

/// measure() of such sums, of at most near_together elements; `acc`, `line` and `inside` are not read. No position but those near ones.
std::int64_t measure(const ByteSums&, const NearRequest&, std::uint16_t* near, NearTotals&);

struct ByteSumTotals {
  bool differ = false;                           // an element that is not near is not the nearest value
  std::int64_t clamped = 0;                      // of those that are not near, how many a clamp decided
};
/// What is stored against the nearest value, from float32 values: `doubt` holds their error too (4 roundings of at most the sum of all
/// magnitudes). Positions that are near as above.
std::int64_t compare(const ByteSums&, const NearRequest&, std::uint16_t* near, ByteSumTotals&);

}  // namespace lastbit
