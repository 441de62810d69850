// int.hpp: integers and the registers they are put into. Nothing here overflows unnoticed.
#pragma once
#include <algorithm>
#include <cstdint>

namespace lastbit {

__extension__ typedef __int128 Wide;  // holds any 64-bit accumulator times any 32-bit multiplier

/// v modulo 2^bits, read as two's complement; 1 <= bits <= 63.
constexpr std::int64_t wrap(Wide v, int bits) {
  const Wide m = Wide{1} << bits;
  Wide r = v % m;
  if (r < 0) r += m;
  if (r >= m / 2) r -= m;
  return static_cast<std::int64_t>(r);
}
constexpr std::int32_t wrap32(std::int64_t v) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(v))); }

/// v clamped to a signed register of that many bits; 1 <= bits <= 63.
constexpr std::int64_t saturate(Wide v, int bits) {
  const Wide hi = (Wide{1} << (bits - 1)) - 1;
  return static_cast<std::int64_t>(v > hi ? hi : v < -hi - 1 ? -hi - 1 : v);
}
/// The register of one vpmaddubsw lane.
constexpr std::int32_t saturate16(std::int32_t v) { return std::clamp(v, -32768, 32767); }

/// Smallest signed width that holds v.
constexpr int bits_of(std::int64_t v) {
  int n = 1;
  for (std::uint64_t u = v < 0 ? ~static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v); u; u >>= 1) ++n;
  return n;
}

}  // namespace lastbit
