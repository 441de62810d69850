// rational.cpp: see rational.hpp.
#include "golden/rational.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace lastbit::rational {

const Exact& power(int e) {
  static std::map<int, Exact> known;
  if (const auto it = known.find(e); it != known.end()) return it->second;
  Exact p(1);
  const Exact two(2);
  for (int i = 0; i < std::abs(e); ++i) e > 0 ? p *= two : p /= two;
  return known.emplace(e, std::move(p)).first->second;
}
bool is_zero(const Exact& v) { return !(v < Exact(0)) && !(v > Exact(0)); }
std::int64_t floor_of(const Exact& v) {
  if (v > power(61) || v < -power(61)) throw NotRational{};
  return v.floor();
}

std::int64_t whole(const Exact& v, Ties mode) {
  const std::int64_t below = floor_of(v);
  const Exact cut = v - Exact(below), half(0.5);
  const bool nothing = is_zero(cut), negative = v < Exact(0), over = cut > half, tie = !over && !(cut < half);
  bool up = false;
  switch (mode) {
    case Ties::even: up = over || (tie && below % 2 != 0); break;
    case Ties::away: up = over || (tie && !negative); break;
    case Ties::up: up = over || tie; break;
    case Ties::down: up = over; break;
    case Ties::zero: up = negative && !nothing; break;
    case Ties::floor: break;
    case Ties::ceil: up = !nothing; break;
  }
  return below + (up ? 1 : 0);
}

int exponent_of(const Exact& v) {
  const Exact size = abs(v);
  const double near = size.to_double();
  if (!std::isfinite(near)) throw NotRational{};
  int e = near == 0 ? -1100 : std::ilogb(near);
  while (size < power(e)) --e;
  while (size >= power(e + 1)) ++e;
  return e;
}

namespace {

/// The nearest number with that many bits of mantissa, ties to even: one IEEE operation. `least`: exponent of the smallest step.
Exact ieee(const Exact& v, int bits, int least, int most) {
  if (is_zero(v)) return v;
  const int e = exponent_of(v), step = std::max(e - (bits - 1), least);
  const Exact r = Exact(whole(v / power(step), Ties::even)) * power(step);
  if (abs(r) >= power(most)) throw NotRational{};
  return r;
}

}  // namespace

Exact f32(const Exact& v) { return ieee(v, 24, -149, 128); }
Exact f64(const Exact& v) { return ieee(v, 53, -1074, 1024); }

Exact mantissa(const Exact& v, int bits) {
  if (is_zero(v)) return v;
  const Exact unit = power(exponent_of(v) - (bits - 1));
  return Exact(whole(v / unit, Ties::away)) * unit;
}

std::int64_t wrapped(std::int64_t v, int bits) {
  const Exact size = power(bits), low = -power(bits - 1);
  const Exact turns((Exact(v) - low) / size);
  return floor_of(Exact(v) - Exact(floor_of(turns)) * size);
}
std::int64_t wrapped(const Exact& v, int bits) {
  const Exact size = power(bits);
  return floor_of(v - Exact(floor_of((v + power(bits - 1)) / size)) * size);
}
std::int64_t saturated(const Exact& v, int bits) {
  const Exact hi = power(bits - 1) - Exact(1);
  return v > hi ? floor_of(hi) : v < -power(bits - 1) ? floor_of(-power(bits - 1)) : floor_of(v);
}

std::int64_t fixed(const std::string& rule, std::int64_t x, const Exact& real) {
  if (rule == "rndnu" || rule == "rndnu16" || rule == "q8") {
    const Exact scale = f32(real);
    if (rule == "q8") return whole(Exact(x) * Exact(whole(f32(scale * Exact(256)), Ties::even)) / Exact(256), Ties::up);
    const int e = exponent_of(scale);
    if (rule == "rndnu") return whole(Exact(x) * scale, Ties::up);  // the 24-bit mantissa is the float itself
    // 15 bits of mantissa, half up; x brought to 16 bits by a rounding shift first.
    std::int64_t m = whole(scale / power(e - 14), Ties::up);
    int exponent = e;
    if (m == 32768) m = 16384, ++exponent;
    const std::int64_t pre = saturated(exponent + 1 >= 0 ? Exact(x) * power(exponent + 1) : Exact(whole(Exact(x) * power(exponent + 1), Ties::up)), 16);
    return whole(Exact(pre) * Exact(m) / Exact(32768), Ties::up);
  }
  return fixed(rule, x, multiplier(real, rule == "scale16" ? 15 : 31));
}

Multiplier multiplier(const Exact& real, int bits) {
  if (is_zero(real)) return {};
  int shift = exponent_of(real) + 1;
  std::int64_t m = whole(real / power(shift - bits), Ties::away);
  if (Exact(m) >= power(bits)) m /= 2, ++shift;
  return shift < -31 ? Multiplier{} : Multiplier{m, shift};
}

std::int64_t fixed(const std::string& rule, std::int64_t x, const Multiplier& by) {
  const auto [m, shift] = by;
  if (m == 0) return 0;
  if (rule == "single" || rule == "scale16") return whole(Exact(x) * Exact(m) * power(shift - (rule == "single" ? 31 : 15)), Ties::up);
  if (rule == "reduced") {
    const std::int64_t m15 = m < 0x7FFF0000 ? whole(Exact(m) / power(16), Ties::up) : 0x7FFF;
    return wrapped(whole(Exact(x) * Exact(m15) * power(shift - 15), Ties::up), 32);
  }
  const Exact wanted = Exact(x) * power(std::max(shift, 0));
  const std::int64_t moved = rule == "double_away_saturating" ? saturated(wanted, 32) : wrapped(wanted, 32);
  const std::int64_t high = whole(Exact(moved) * Exact(m) / power(31), rule == "floor_up" ? Ties::floor : Ties::up);
  return whole(Exact(high) * power(std::min(shift, 0)), rule == "double_up" || rule == "floor_up" ? Ties::up : Ties::away);
}

}  // namespace lastbit::rational
