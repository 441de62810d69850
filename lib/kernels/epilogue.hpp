// epilogue.hpp: what follows a block of sums, in vectors: requantize, compare with the bytes a runtime stored, count what happened.
//
// Bit-equal to the scalar stages of lib/profile/requantize.hpp, which remain the judge and do whatever has no path here. Two paths:
//
//   float32   v = wrap32(acc + bias); x = f32(v) [+ addend] ; x = x * multiplier ; y = clamp(rne(x) + zo)       cvtps2dq
//   fixed     v = wrap32(acc + bias); y = clamp(rule(v, multiplier) + zo)                                       lib/num/fixed.hpp
//
// Per-channel constants are one value or one a channel. Sums must be int32 (SumBlock::acc); wide ones go through the scalar stages.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/kernels/stream.hpp"
#include "lib/num/fixed.hpp"
#include "lib/profile/requantize.hpp"

namespace lastbit {

struct Epilogue {
  enum class Path { float32, fixed } path = Path::float32;
  DType y = DType::uint8;                    // uint8 or int8 (and the narrower types, stored one a byte)
  std::int32_t zero_point = 0, min = 0, max = 255;
  std::vector<std::int32_t> bias;            // one, one a channel, or none
  std::vector<float> addend, multiplier;     // float32; addend: none, or as many as multipliers
  bool range = false;                        // float32: x is clamped before it is rounded, so that it never becomes INT32_MIN
  bool calm = false;                         // float32: where |v| <= 2^24 nothing wraps, saturates or loses bits
  FixedRule rule = FixedRule::double_away;   // fixed: double_away, double_up, single, floor_up, double_away_saturating
  FixedRule tail = FixedRule::double_away;   // fixed: the rule of the channels from tail_from on
  std::int64_t tail_from = 0;
  std::vector<std::int32_t> mantissa, shift; // fixed: multiplier = mantissa * 2^(shift - 31), mantissa >= 0, -31 <= shift <= 30
};

/// The epilogue that equals the requantizer's stages for a stored output of dtype y; none if only the scalar stages will do.
std::optional<Epilogue> epilogue_of(const Requantizer&, DType y);

/// Which output elements a block's runs are (stream.hpp): [N, channels, positions], or [N, positions, channels] when channels_last.
struct OutputOrder {
  std::int64_t channels = 1, positions = 1;
  bool channels_last = false;
};

/// What run_epilogue adds up over the blocks of a layer.
struct EpilogueResult {
  std::vector<std::int64_t> differ;          // output elements whose observed byte is another one, ascending within a block
  std::int64_t elements = 0;
  std::int32_t acc_min = 0, acc_max = 0;     // of v, the bias included; both 0 when elements is 0
  std::int64_t tie = 0, clamped = 0, saturated = 0, wrapped = 0, inexact_float = 0;  // event counts; only when asked for
};

struct EpilogueRequest {
  const std::byte* observed = nullptr;       // the whole output as stored, in the output's order; null: nothing is compared
  std::byte* stored = nullptr;               // gets the expected bytes of the block: stored[r * acc_step + i]; null: not wanted
  bool events = false;                       // count events: costs about as much again
};

/// A block that came by position is turned if it has to be: then it has its acc.
void run_epilogue(const Epilogue&, SumBlock&, const OutputOrder&, const EpilogueRequest&, EpilogueResult&);

}  // namespace lastbit
