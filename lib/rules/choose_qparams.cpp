// choose_qparams.cpp: see choose_qparams.hpp.
#include "lib/rules/choose_qparams.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/round.hpp"

namespace lastbit {
namespace {

struct Extent {
  float min = 0, max = 0;  // always holds 0
};

Extent extent_of(std::span<const float> x) {
  Extent e;
  for (const float v : x) {
    if (v < e.min) e.min = v;
    if (v > e.max) e.max = v;
  }
  return e;
}

// Double precision for intermediate steps; a scale below 6.1e-5 is raised to that and the extent with it.
ChosenQparams pytorch(Extent e, std::int64_t qmin, std::int64_t qmax) {
  constexpr float least = 6.1e-5f;
  double scale = (static_cast<double>(e.max) - e.min) / static_cast<double>(qmax - qmin);
  if (static_cast<float>(scale) == 0.0f || std::isinf(1.0f / static_cast<float>(scale))) scale = 0.1;
  if (scale < least) {
    const float before = static_cast<float>(scale);
    scale = least;
    if (e.min == 0.0f) e.max = least * static_cast<float>(qmax - qmin);
    else if (e.max == 0.0f) e.min = -least * static_cast<float>(qmax - qmin);
    else {
      const float amplifier = least / before;
      e.min *= amplifier;
      e.max *= amplifier;
    }
  }
  const double low = e.min / scale, high = e.max / scale;
  const double from_min = static_cast<double>(qmin) - low, from_max = static_cast<double>(qmax) - high;
  const double error_min = static_cast<double>(std::abs(qmin)) - std::fabs(low), error_max = static_cast<double>(std::abs(qmax)) - std::fabs(high);
  const double initial = error_min < error_max ? from_min : from_max;
  return {scale, initial < static_cast<double>(qmin) ? qmin : initial > static_cast<double>(qmax) ? qmax : rne(initial), {}};
}

ChosenQparams onnx(Extent e) {
  if (e.max == e.min) return {1.0, 0, {}};
  const float scale = (e.max - e.min) / 255.0f;
  const float zero_point = 0.0f - e.min / scale;
  return {static_cast<double>(scale), rne(std::clamp(zero_point, 0.0f, 255.0f)), {}};
}

// All in float32. The reciprocal comes first; the scale is its reciprocal in turn.
ChosenQparams int4mm(Extent e, std::int64_t qmin, std::int64_t qmax) {
  const float low = static_cast<float>(qmin), high = static_cast<float>(qmax);
  const float inverse = e.min == e.max ? 1.0f : (high - low) / (e.max - e.min);
  const float below = e.min * inverse, above = e.max * inverse;
  const float from_min = low + below, from_max = high + above;
  const float z = from_min + from_max > 0 ? low - below : high - above;
  return {static_cast<double>(inverse != 0.0f ? 1.0f / inverse : 0.0f), rne(std::clamp(z, low, high)), static_cast<double>(inverse)};
}

}  // namespace

ChosenQparams choose_qparams(const std::string& rule, std::span<const float> x, std::int64_t qmin, std::int64_t qmax, const std::string& place) {
  for (const float v : x)
    if (!std::isfinite(v)) throw Error(place + ": input \"x\"", "found a value that is not finite, expected finite ones where qparams are chosen at run time");
  if (rule == "pytorch") return pytorch(extent_of(x), qmin, qmax);
  if (rule == "onnx") return onnx(extent_of(x));
  if (rule == "int4mm") return int4mm(extent_of(x), qmin, qmax);
  throw Error(place, "found the rule \"" + rule + "\" for choosing qparams, expected pytorch, onnx or int4mm");
}

}  // namespace lastbit
