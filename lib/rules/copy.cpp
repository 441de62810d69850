// copy.cpp: see copy.hpp.
#include "lib/rules/copy.hpp"

#include "lib/rules/pointwise.hpp"

namespace lastbit {

Result copy_elements(const Tensor& x, const std::vector<std::int64_t>& from, const Shape& shape, double fill) {
  Result r;
  Computed& y = r.outputs["y"];
  y.shape = shape;
  if (is_float(x.dtype)) {
    const auto v = x.f32();
    for (const auto i : from) y.f.push_back(i < 0 ? static_cast<float>(fill) : v[static_cast<std::size_t>(i)]);
  } else {
    const auto v = x.i32();
    for (const auto i : from) y.q.push_back(i < 0 ? static_cast<std::int32_t>(fill) : v[static_cast<std::size_t>(i)]);
  }
  return r;
}

Real real_copy(const Tensor& x, const std::vector<std::int64_t>& from, double fill) {
  const auto index = std::make_shared<const std::vector<std::int64_t>>(from);
  const double filled = is_float(x.dtype) || !x.q.quantized() ? fill : (fill - x.q.zero_point_of(0)) * x.q.scale_of(0);
  return pointwise(static_cast<std::int64_t>(from.size()), [&x, index, filled]<class T>(std::int64_t i) -> T {
    const std::int64_t at = (*index)[static_cast<std::size_t>(i)];
    if (at < 0) return T(filled);
    return dequantized<T>(x, at);
  });
}

}  // namespace lastbit
