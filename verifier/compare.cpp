// compare.cpp: see compare.hpp.
#include "verifier/compare.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t histogram_end = 1024;  // larger errors are counted at the end
constexpr std::int64_t incomparable = std::int64_t{1} << 33;  // NaN against a number: more than any two float32 are apart

std::int64_t float_error(float expected, float observed) {
  const bool e = expected != expected, o = observed != observed;
  if (e || o) return e && o ? 0 : incomparable;
  return ordinal(observed) - ordinal(expected);
}

}  // namespace

namespace {

/// Whether every stored value is the expected one, read as it is stored.
template <class T>
bool all_equal(const T* observed, const std::int32_t* expected, std::int64_t n) {
  constexpr std::int64_t chunk = 4096;
  for (std::int64_t from = 0; from < n; from += chunk) {
    std::uint32_t differ = 0;  // a loop without an exit: the compiler brings it into vectors
    for (std::int64_t i = from; i < std::min(n, from + chunk); ++i) differ |= static_cast<std::uint32_t>(std::int32_t{observed[i]} ^ expected[i]);
    if (differ) return false;
  }
  return true;
}

bool identical(const Computed& expected, const Tensor& observed) {
  if (!expected.undefined.empty() || expected.q.empty()) return false;
  const std::int64_t n = observed.size();
  switch (observed.dtype) {
    case DType::uint8: case DType::uint4: case DType::uint2: return all_equal(reinterpret_cast<const std::uint8_t*>(observed.data), expected.q.data(), n);
    case DType::int8: case DType::int4: case DType::int2: return all_equal(reinterpret_cast<const std::int8_t*>(observed.data), expected.q.data(), n);
    default: return false;
  }
}

}  // namespace

std::int64_t lsb_error(const Computed& expected, const Tensor& observed, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  if (is_float(observed.dtype)) return float_error(expected.f[at], static_cast<float>(observed.value(i)));
  return observed.integer(i) - expected.q[at];
}

Comparison compare(const Computed& expected, const Tensor& observed) {
  const std::int64_t n = observed.size();
  const bool floats = is_float(observed.dtype);
  ensure(static_cast<std::int64_t>(floats ? expected.f.size() : expected.q.size()) == n, "a recomputed output has another size than the dumped one");
  Comparison c;
  c.elements = n;
  if (identical(expected, observed)) return c;  // no error, and no noise beside the signal
  const auto observed_f = floats ? observed.f32() : std::vector<float>();
  const auto observed_q = floats ? std::vector<std::int32_t>() : observed.i32();
  auto next_undefined = expected.undefined.begin();
  const bool per_tensor = observed.q.scale.size() <= 1;
  const double scale = observed.q.quantized() ? observed.q.scale_of(0) : 1.0, zero_point = observed.q.quantized() ? observed.q.zero_point_of(0) : 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double o = floats ? static_cast<double>(observed_f[at]) : observed_q[at];
    const double e = floats ? static_cast<double>(expected.f[at]) : expected.q[at];
    const std::int64_t error = floats ? float_error(expected.f[at], observed_f[at]) : std::int64_t{observed_q[at]} - expected.q[at];
    while (next_undefined != expected.undefined.end() && next_undefined->index < i) ++next_undefined;
    const bool open = next_undefined != expected.undefined.end() && next_undefined->index == i;
    if (open && ((o >= next_undefined->lo && o <= next_undefined->hi) || (o != o && next_undefined->lo != next_undefined->lo))) ++c.undefined;
    else if (error != 0) {
      ++c.mismatches;
      c.max_lsb = std::max(c.max_lsb, std::abs(error));
      c.sum_lsb += static_cast<long double>(error);
      ++c.histogram[std::clamp(error, -histogram_end, histogram_end)];
      c.differing.push_back(i);
    }
    if (std::isfinite(o) && std::isfinite(e)) {
      const double s = per_tensor ? scale : observed.scale_at(i), z = per_tensor ? zero_point : observed.zero_point_at(i);
      const double re = (e - z) * s, ro = (o - z) * s;
      c.expected_square += re * re;
      c.observed_square += ro * ro;
      c.dot += re * ro;
      c.noise += (re - ro) * (re - ro);
    }
  }
  c.signal = c.expected_square;
  return c;
}

std::vector<std::int64_t> stored_index(const Tensor& t, std::int64_t i) {
  std::vector<std::int64_t> own(t.shape.size()), stored(t.shape.size());
  for (std::size_t a = t.shape.size(); a-- > 0;) {
    own[a] = t.shape[a] ? i % t.shape[a] : 0;
    i = t.shape[a] ? i / t.shape[a] : 0;
  }
  for (std::size_t a = 0; a < own.size(); ++a) stored[t.stored_axes.empty() ? a : static_cast<std::size_t>(t.stored_axes[a])] = own[a];
  return stored;
}

std::string event_flags(Events e) {
  std::string s = "tcswpiu";
  for (std::size_t i = 0; i < s.size(); ++i)
    if (!(e >> i & 1)) s[i] = '.';
  return s;
}

std::string shortest(float v) {
  if (v != v) return "nan";
  std::array<char, 40> buffer{};
  const auto r = std::to_chars(buffer.data(), buffer.data() + buffer.size(), v);
  return {buffer.data(), r.ptr};
}

}  // namespace lastbit
