// sign.cpp: see sign.hpp. Mantissas are odd integers, multiplied and aligned as such.
#include "lib/num/sign.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "lib/error.hpp"

namespace lastbit {
namespace {

__extension__ typedef __int128 Wide;
constexpr int room = 126;  // bits of a magnitude: the sum of two has a bit more

/// m * 2^e, |m| < 2^bits.
struct Scaled {
  Wide m = 0;
  int e = 0, bits = 0;
};

Scaled scaled(double v) {
  ensure(std::isfinite(v), "a sign is of finite numbers");
  const auto all = std::bit_cast<std::uint64_t>(v);
  const int exponent = static_cast<int>(all >> 52 & 0x7FF);
  const std::uint64_t fraction = all & 0xFFFFFFFFFFFFF, m = exponent ? fraction | std::uint64_t{1} << 52 : fraction;
  if (m == 0) return {};
  const int zeros = std::countr_zero(m);
  const std::uint64_t odd = m >> zeros;
  return {all >> 63 ? -Wide{odd} : Wide{odd}, std::max(exponent, 1) - 1075 + zeros, static_cast<int>(std::bit_width(odd))};
}

}  // namespace

std::optional<int> sign_of_sum(std::span<const Product> products) {
  std::array<Scaled, 4> terms;
  std::size_t n = 0;
  for (const Product& p : products) {
    Scaled all{1, 0, 1};
    for (const double factor : p) {
      if (factor == 1) continue;
      const Scaled f = scaled(factor);
      if (all.bits + f.bits > room) return std::nullopt;
      all = {all.m * f.m, all.e + f.e, all.bits + f.bits};
      if (all.m == 0) break;
    }
    if (all.m == 0) continue;
    if (n == terms.size()) return std::nullopt;
    terms[n++] = all;
  }
  if (n == 0) return 0;
  int lowest = terms[0].e;
  for (std::size_t i = 1; i < n; ++i) lowest = std::min(lowest, terms[i].e);
  Wide sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const int shift = terms[i].e - lowest;
    if (terms[i].bits + shift > room - 2) return std::nullopt;  // four of them fit
    sum += terms[i].m * (Wide{1} << shift);
  }
  return sum < 0 ? -1 : sum > 0;
}

}  // namespace lastbit
