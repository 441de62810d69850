// sleef.cpp: see sleef.hpp. After SLEEF 3.x src/libm/sleefsimdsp.c and src/arch/df.h (Boost Software License), written anew.
#include "lib/rules/sleef.hpp"

#include <cmath>
#include <limits>

#include "lib/num/float.hpp"

namespace lastbit::sleef {
namespace {

constexpr float inverse_ln2 = 1.442695040888963407359924681001892137426645954152985934135449406931f;
constexpr float ln2_upper = 0.693145751953125f, ln2_lower = 1.428606765330187045e-06f;

/// x + y with a small y. "2" variants allow any order of magnitude (df.h).
struct Pair {
  float x, y;
};

Pair add(float a, Pair b) { const float s = a + b.x; return {s, ((a - s) + b.x) + b.y}; }
Pair add(Pair a, Pair b) { const float s = a.x + b.x; return {s, ((((a.x - s) + b.x) + a.y) + b.y)}; }
Pair add2(Pair a, float b) {
  const float s = a.x + b, v = s - a.x;
  const float w = (a.x - (s - v)) + (b - v);
  return {s, w + a.y};
}
Pair add2(Pair a, Pair b) {
  const float s = a.x + b.x, v = s - a.x;
  const float t = (a.x - (s - v)) + (b.x - v);
  return {s, t + (a.y + b.y)};
}
Pair multiply(Pair a, float b) { const float s = a.x * b; return {s, fused(a.y, b, fused(a.x, b, -s))}; }
Pair multiply(Pair a, Pair b) { const float s = a.x * b.x; return {s, fused(a.x, b.y, fused(a.y, b.x, fused(a.x, b.x, -s)))}; }
Pair square(Pair a) { const float s = a.x * a.x; return {s, fused(a.x + a.x, a.y, fused(a.x, a.x, -s))}; }
Pair reciprocal(Pair d) {
  const float s = 1.0f / d.x;
  return {s, s * fused(-d.y, s, fused(-d.x, s, 1.0f))};
}
Pair divide(Pair n, Pair d) {
  const float t = 1.0f / d.x, s = n.x * t;
  const float u = fused(t, n.x, -s), v = fused(-d.y, t, fused(-d.x, t, 1.0f));
  return {s, fused(s, v, fused(n.y, t, u))};
}

/// x * 2^q in two factors, so that it rounds only where the result is subnormal.
float scale(float x, std::int32_t q) { return std::ldexp(std::ldexp(x, q >> 1), q - (q >> 1)); }

/// e^d as a double-float (expk2f).
Pair exp_pair(Pair d) {
  const std::int32_t q = cvtps2dq((d.x + d.y) * inverse_ln2);
  const auto qf = static_cast<float>(q);
  Pair s = add2(d, qf * -ln2_upper);
  s = add2(s, qf * -ln2_lower);
  float u = 0.1980960224e-3f;
  u = fused(u, s.x, 0.1394256484e-2f);
  u = fused(u, s.x, 0.8333456703e-2f);
  u = fused(u, s.x, 0.4166637361e-1f);
  Pair t = add2(multiply(s, u), 0.166666659414234244790680580464f);
  t = add2(multiply(s, t), 0.5f);
  t = add2(s, multiply(square(s), t));
  t = add(1.0f, t);
  if (d.x < -104) return {0, 0};
  return {scale(t.x, q), scale(t.y, q)};
}

}  // namespace

float expf(float d) {
  if (d != d) return d;
  if (d < -104) return 0;
  if (d > 100) return std::numeric_limits<float>::infinity();
  const std::int32_t q = cvtps2dq(d * inverse_ln2);
  const auto qf = static_cast<float>(q);
  float s = fused(qf, -ln2_upper, d);
  s = fused(qf, -ln2_lower, s);
  float u = 0.000198527617612853646278381f;
  u = fused(u, s, 0.00139304355252534151077271f);
  u = fused(u, s, 0.00833336077630519866943359f);
  u = fused(u, s, 0.0416664853692054748535156f);
  u = fused(u, s, 0.166666671633720397949219f);
  u = fused(u, s, 0.5f);
  u = 1.0f + fused(s * s, u, s);
  return scale(u, q);
}

float expm1f(float a) {
  if (a != a) return a;
  if (a > 88.72283172607421875f) return std::numeric_limits<float>::infinity();
  if (a < -16.635532333438687426013570f) return -1.0f;
  if (a == 0) return a;
  const Pair d = add2(exp_pair({a, 0}), -1.0f);
  return d.x + d.y;
}

float tanhf(float x) {
  if (x != x) return x;
  const float size = std::fabs(x);
  float y = 1.0f;
  if (size <= 8.664339742f) {
    const Pair d = exp_pair({size, 0}), e = reciprocal(d);
    const Pair q = divide(add(d, Pair{-e.x, -e.y}), add(d, e));
    y = q.x + q.y;
  }
  return std::copysign(y, x);
}

}  // namespace lastbit::sleef
