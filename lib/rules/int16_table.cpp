// int16_table.cpp: see int16_table.hpp.
#include "lib/rules/int16_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "lib/num/round.hpp"

namespace lastbit {
namespace {

/// 65536 * sigmoid(i / 24) as TFLite ships it: 44 entries are one above the nearest integer, so it is not computed.
constexpr std::array<std::int64_t, 256> sigmoids{
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794, 41432, 42064, 42688,
    43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443, 48964, 49475, 49975, 50464, 50942, 51409,
    51865, 52311, 52745, 53169, 53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433,
    57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370, 60565, 60753, 60935, 61110,
    61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302, 62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186,
    63279, 63368, 63454, 63536, 63615, 63691, 63765, 63835, 63903, 63968, 64030, 64090, 64148, 64204, 64257, 64308,
    64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786, 64816, 64845, 64873, 64900,
    64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079, 65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208,
    65221, 65234, 65246, 65258, 65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367,
    65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433, 65438, 65442, 65445, 65449,
    65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474, 65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491,
    65493, 65495, 65497, 65498, 65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513,
    65514, 65515, 65516, 65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524,
    65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528, 65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530,
    65530, 65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
    65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65535};

/// scale * 3 * 4096 as an integer below 2^15 and a shift.
struct InputMultiplier {
  std::int64_t m;
  int shift;
};
InputMultiplier input_multiplier(float scale) {
  double v = static_cast<double>(scale) * 4096.0 * 3.0;
  int shift = 0;
  while (v <= 32767.0 / 2.0 && shift <= 30) v *= 2.0, ++shift;
  return {static_cast<std::int64_t>(std::min(v, 2147483647.0)), shift};
}

double away(double v) { return static_cast<double>(to_integer(v, Rounding::half_away).value); }

Table512 populate(double scale, int zero_point, double (*f)(double)) {
  const double low = scale * (-32768 - zero_point), high = scale * (32767 - zero_point), step = (high - low) / 512, half = step / 2;
  const double out_scale = 2.0 / 65535, inverse = 65536.0 / (out_scale * 32767 - out_scale * -32768);
  const auto stored = [](double v) { return static_cast<std::int32_t>(std::clamp(v, -32768.0, 32767.0)); };
  Table512 t{};
  for (int i = 0; i < 512; ++i) {
    const double at = f(low + i * step), middle = f(low + i * step + half), next = f(low + (i + 1) * step);
    const double sample = away(at * inverse), interpolated = away((next * inverse + sample) / 2);
    t.values[static_cast<std::size_t>(i)] = stored(sample - away((interpolated - away(middle * inverse)) / 2));
  }
  t.values[512] = stored(away(f(high) * inverse));
  return t;
}

}  // namespace

PowerOfTwo power_of_two(float x) {
  if (!(x > 0) || !std::isfinite(x)) return {false, 0};  // no scale: the layer is refused elsewhere
  const double log2 = std::log2(static_cast<double>(x)), nearest = away(log2);
  return {std::fabs(log2 - nearest) < 1e-3, static_cast<int>(nearest)};
}

std::int32_t table_sigmoid16(std::int32_t q, float scale) {
  const PowerOfTwo p = power_of_two(scale);
  const InputMultiplier by = p.is && p.exponent == -12 ? InputMultiplier{3, 0} : input_multiplier(scale);
  const std::int64_t x = (q * by.m + (by.shift > 0 ? std::int64_t{1} << (by.shift - 1) : 0)) >> by.shift, size = std::abs(x);
  const std::int64_t i = size >> 9;
  std::int64_t v = std::int64_t{0x7fff} << 10;
  if (i < 255) {
    const std::int64_t a = sigmoids[static_cast<std::size_t>(i)], b = sigmoids[static_cast<std::size_t>(i) + 1];
    v = (a << 9) + (size & 0x1ff) * (b - a);
  }
  v = x >= 0 ? v + (1 << 9) : (std::int64_t{1} << 25) - v + (1 << 9) - 1;
  return static_cast<std::int32_t>(v >> 10);
}

std::int32_t table_tanh16(std::int32_t q, float scale) {
  const PowerOfTwo p = power_of_two(scale);
  std::int64_t x = 0, size = 0;
  if (p.is && (p.exponent == -12 || p.exponent == -11)) {
    x = std::int64_t{q} * (p.exponent == -11 ? 2 : 1);
    size = 3 * std::abs(x);
  } else {
    const InputMultiplier by = input_multiplier(scale);
    x = (q * by.m + (by.shift > 0 ? std::int64_t{1} << (by.shift - 1) : 0)) >> by.shift;
    size = std::abs(x);
  }
  const std::int64_t i = size >> 8;
  std::int64_t v = std::int64_t{0xffff} << 8;
  if (i < 255) {
    const std::int64_t a = sigmoids[static_cast<std::size_t>(i)], b = sigmoids[static_cast<std::size_t>(i) + 1];
    v = (a << 8) + (size & 0xff) * (b - a);
  }
  v = x >= 0 ? v - (1 << 23) + (1 << 7) : -v + (1 << 23) + (1 << 7) - 1;
  return static_cast<std::int32_t>(v >> 8);
}

std::int32_t Table512::operator()(std::int32_t q) const {
  const auto i = static_cast<std::size_t>(256 + (q >> 7));
  const std::int32_t base = values[i], slope = values[i + 1] - base;
  return base + ((slope * (q & 0x7f) + 64) >> 7);
}

Table512 exp_table() {
  return populate(10.0 / 65535, 32767, [](double v) { return std::exp(v); });
}
Table512 one_over_one_plus_table() {
  return populate(1.0 / 65535, -32768, [](double v) { return 1.0 / (1.0 + v); });
}

void power_of_two_facts(const Layer& layer, std::set<std::string>& f) {
  const Tensor& x = layer.in("x");
  if (x.q.scale.size() != 1 || !(x.q.scale_of(0) > 0)) return;
  const PowerOfTwo p = power_of_two(static_cast<float>(x.q.scale_of(0)));
  if (p.is && p.exponent == -12) f.insert("x_4096ths");
  if (p.is && p.exponent == -11) f.insert("x_2048ths");
}

}  // namespace lastbit
