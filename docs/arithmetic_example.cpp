// arithmetic_example.cpp: one accumulator, four rules, four lines each. The numbers of docs/arithmetic.md, section 4, by hand:
// nothing here uses lastbit. Build: c++ -std=c++20 -ffp-contract=off arithmetic_example.cpp
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace {

constexpr std::int32_t acc = 585, zero_point = -126;
constexpr double sx = 0.05296124517917633, sw = 0.024093778803944588, sy = 0.11484327912330627;

// Nearest, ties to even.
std::int64_t nearest_even(double v) {
  const double floor = std::floor(v), cut = v - floor;
  const auto below = static_cast<std::int64_t>(floor);
  return cut > 0.5 || (cut == 0.5 && below % 2 != 0) ? below + 1 : below;
}

std::int64_t in_float64() { return nearest_even(acc * (sx * sw / sy)) + zero_point; }

// The multiplier as m * 2^(shift - 31), m in [2^30, 2^31); a high multiply that rounds half up, a shift that rounds half away.
std::int64_t gemmlowp() {
  int shift = 0;
  const auto m = static_cast<std::int64_t>(std::floor(std::frexp(sx * sw / sy, &shift) * 2147483648.0 + 0.5));
  const std::int64_t high = (acc * m + (std::int64_t{1} << 30)) >> 31;
  const std::int64_t half = std::int64_t{1} << (-shift - 1);
  return (high >= 0 ? (high + half) >> -shift : -((-high + half) >> -shift)) + zero_point;
}

std::int64_t narrowed_multiplier() {
  const float multiplier = static_cast<float>(sx * sw / sy);
  const float product = static_cast<float>(acc) * multiplier;
  return nearest_even(static_cast<double>(product)) + zero_point;
}

std::int64_t multiplier_in_float32() {
  const float product_of_scales = static_cast<float>(sx) * static_cast<float>(sw);
  const float multiplier = product_of_scales / static_cast<float>(sy);
  const float product = static_cast<float>(acc) * multiplier;
  return nearest_even(static_cast<double>(product)) + zero_point;
}

}  // namespace

int main() {
  const std::int64_t results[] = {in_float64(), gemmlowp(), narrowed_multiplier(), multiplier_in_float32()};
  for (const auto r : results) std::printf("%lld\n", static_cast<long long>(r));
  return results[0] == -119 && results[1] == -119 && results[2] == -119 && results[3] == -120 ? 0 : 1;
}
