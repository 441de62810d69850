// float_sums.cpp: see float_sums.hpp.
#include "verifier/float_sums.hpp"

#include <algorithm>
#include <cmath>

#include "lib/num/int.hpp"
#include "lib/num/round.hpp"
#include "lib/rules/matrix_product.hpp"

namespace lastbit {

bool FloatSums::applies(const Case& c) { return c.layer.op == "matmul" && c.cell.rule == "float_quantize" && c.port == "y" && !is_float(c.observed.dtype); }

FloatSums::FloatSums(const Case& c) : case_(c), terms_(matrix_product(c.layer).K) {
  acc_ = sums_of([this](const Geometry&, AccumulationInput& in) { operands_.push_back(in); });
  size_ = sums_of([](const Geometry& g, AccumulationInput& in) {
    for (auto& v : in.x) v = static_cast<std::int32_t>(std::abs(v - in.x_zero_point));
    for (std::size_t k = 0; k < in.w.size(); ++k) {
      const std::size_t o = k / static_cast<std::size_t>(g.in_channels);
      in.w[k] = static_cast<std::int32_t>(std::abs(in.w[k] - in.w_zero_point[in.w_zero_point.size() == 1 ? 0 : o]));
    }
    in.x_zero_point = 0, in.w_zero_point = {0};
  });
}

std::vector<std::int64_t> FloatSums::sums_of(const std::function<void(const Geometry&, AccumulationInput&)>& edit) const {
  const MatrixProduct p = matrix_product(case_.layer);
  const Geometry g = p.geometry();
  std::vector<std::int64_t> all;
  for (std::int64_t batch = 0; batch < p.batches(); ++batch) {
    AccumulationInput in = matrix_operands(case_.layer, p, batch);
    edit(g, in);
    std::string kernel;
    const auto one = accumulate(g, {in.x, in.w, in.x_zero_point, in.w_zero_point}, kernel);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::int64_t FloatSums::saturating(std::int64_t element, int bits) const {
  const Shape& shape = case_.observed.shape;
  const std::int64_t M = shape.size() > 1 ? shape[shape.size() - 2] : 1, N = shape.empty() ? 1 : shape.back(), matrix = element / (M * N), row = element / N % M, n = element % N;
  const AccumulationInput& in = operands_[static_cast<std::size_t>(matrix)];
  const std::int64_t wz = in.w_zero_point.size() == 1 ? in.w_zero_point[0] : in.w_zero_point[static_cast<std::size_t>(n)];
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < terms_; ++k)
    sum = saturate(sum + (in.x[static_cast<std::size_t>(row * terms_ + k)] - in.x_zero_point) * (in.w[static_cast<std::size_t>(n * terms_ + k)] - wz), bits);
  return sum;
}

Values FloatSums::values(const std::function<std::int64_t(std::int64_t)>& acc, const std::vector<std::int64_t>& elements, const std::function<double(double)>& multiplier) const {
  const Tensor& y = case_.observed;
  const Quantization &a = case_.layer.in("a").q, &b = case_.layer.in("b").q;
  const MatrixProduct p = matrix_product(case_.layer);
  const Range range = activated_range(case_.layer, y);
  const bool inside = case_.cell.get("rounding", "outside").rfind("inside", 0) == 0;
  const double sa = a.quantized() ? a.scale_of(0) : 1, so = y.q.scale_of(0), zo = y.q.zero_point_of(0);
  const auto stored = [&](double v) {
    const double bounded = std::clamp(v, -0x1p60, 0x1p60);
    const std::int64_t q = inside ? rne(bounded + zo) : rne(bounded) + static_cast<std::int64_t>(zo);
    return static_cast<double>(std::clamp(q, range.min, range.max));
  };
  Values all;
  const auto one = [&](std::int64_t i) {
    const double own = sa * (b.quantized() ? b.scale_of(i % p.N) : 1) / so, m = multiplier ? multiplier(own) : own, v = static_cast<double>(acc(i)) * m;
    const double slack = static_cast<double>(terms_ + 3) * 0x1p-23 * static_cast<double>(size_[static_cast<std::size_t>(i)]) * m + (std::abs(v) + std::abs(zo)) * 0x1p-22;
    const double observed = case_.observed_value(i);
    return stored(v - slack) <= observed && observed <= stored(v + slack) ? observed : stored(v);
  };
  if (elements.empty()) for (std::int64_t i = 0; i < case_.size(); ++i) all.push_back(one(i));
  for (const auto i : elements) all.push_back(one(i));
  return all;
}

Suspect float_sums_suspect(std::shared_ptr<const FloatSums> sums, std::string name, std::string sentence, std::function<std::int64_t(std::int64_t)> acc, std::function<double(double)> multiplier) {
  return {std::move(name), std::move(sentence), 10, [sums = std::move(sums), acc = std::move(acc), multiplier = std::move(multiplier)](const std::vector<std::int64_t>& e) { return sums->values(acc, e, multiplier); }};
}

}  // namespace lastbit
