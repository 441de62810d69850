// profile: the whole layer follows another runtime, version or instruction set.
#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "lib/rules/amx.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/unordered_sum.hpp"
#include "verifier/cause.hpp"
#include "verifier/contender.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/sum_stage.hpp"

namespace lastbit::causes {
namespace {

/// Rule "float" at single elements, as run_float_products() has them, and a matrix product's "float_quantize": the sum of the dequantized operands'
/// products, in any order. A value of its interval is the observed one, where that lies inside.
class FloatRule {
 public:
  /// Whether one scale is that of all of x, and one that of all weights of a channel.
  static bool applies(const Case& c, const Cell& cell) {
    const Tensor &x = c.left(), &w = c.right();
    if (&c.base() != &c.layer || is_float(c.observed.dtype) || x.q.scale.size() != 1) return false;
    if (is_product(c)) return cell.rule == "float_quantize" && w.q.scale.size() == 1 && !c.layer.find("bias");
    return cell.rule == "float" && (w.q.scale.size() == 1 || (w.q.axis == 0 && w.q.group_size == 0 && !c.geometry().transposed));
  }
  FloatRule(const Case& c, const Cell& cell)
      : case_(c), relu_(!is_product(c) && float_relu(c.layer)), rule_(quantize_rule(cell.get("rounding", "outside"), c.layer.place)), range_(is_product(c) ? activated_range(c.layer, c.observed) : stored_range(c.observed)) {
    if (c.layer.find("bias")) bias_ = single_values(c.layer, "bias");
  }
  /// All elements; none when too many of them would be asked one by one. Away from a rounding boundary by more than the layer's own stages
  /// and a float32 sum may err by, both give the same value, so what agrees there is as observed (verifier/float_contender.cpp).
  std::optional<Values> all() const {
    if (is_product(case_)) return std::nullopt;
    constexpr std::int64_t worth = 16, dequantized = 4;  // the whole operator forms a product so much faster, once each operand has cost as much as a few
    const Geometry& g = case_.geometry();
    StoredPlan plan;
    plan.request.geometry = g;
    plan.context = case_.context_of({});
    const RealLines real = real_lines(case_.layer, plan.context);
    const double own = doubt_of(StageBinder(plan.context, case_.layer.place)(case_.cell.stages), {case_.layer, case_.op, case_.cell, plan, real}), sum = float_sum_doubt(real, g).doubt;
    const double doubt = std::max(own, sum) * 1.01 + real.bound;
    const bool sums_are_true = plain_register(case_.cell) && g.terms() < (std::int64_t{1} << 15);  // 255 * 255 * 2^15 < 2^31
    if (!sums_are_true || !real.known || !std::isfinite(doubt) || case_.layer.attributes.number("alpha", 1.0) != 1.0 || !case_.expected.undefined.empty()) return std::nullopt;
    Values v = case_.observed_values();
    std::vector<std::int64_t> asked;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < case_.size(); ++i) {
      const std::int64_t channel = case_.channel_of(i);
      const double r = static_cast<double>(case_.accumulators()[static_cast<std::size_t>(i)]) * real.multiplier_of(channel) + real.offset_of(channel);
      const bool differs = next < case_.differing.size() && case_.differing[next] == i;
      next += differs;
      if (differs || !(std::fabs(r - std::floor(r) - 0.5) > doubt)) asked.push_back(i);
    }
    if (static_cast<std::int64_t>(asked.size()) * g.terms() > case_.size() * g.terms() / worth + dequantized * g.groups * g.out_channels * g.terms()) return std::nullopt;
    for (const auto i : asked) v[static_cast<std::size_t>(i)] = (*this)(i);
    return v;
  }

  double operator()(std::int64_t i) const {
    const Quantization &x = case_.left().q, &w = case_.right().q;
    const std::int64_t channel = case_.channel_of(i);
    const auto x_zero_point = static_cast<float>(x.zero_point_of(0)), x_scale = static_cast<float>(x.scale_of(0)), w_zero_point = static_cast<float>(w.zero_point_of(channel)), w_scale = static_cast<float>(w.scale_of(channel));
    UnorderedSum sum;
    case_.operands(i, [&](std::int32_t qx, std::int32_t qw, bool outside) {
      if (!outside) sum.multiply_add(static_cast<double>((static_cast<float>(qx) - x_zero_point) * x_scale), static_cast<double>((static_cast<float>(qw) - w_zero_point) * w_scale));
    });
    if (!bias_.empty()) sum.add(static_cast<double>(bias_[static_cast<std::size_t>(channel)]));
    const Tensor& y = case_.layer.out();
    const QuantizedRange v = quantized_range(sum, relu_, rule_, y.scale_at(i), y.zero_point_at(i), range_);
    const double observed = case_.observed_value(i);
    return observed >= static_cast<double>(v.lo) && observed <= static_cast<double>(v.hi) ? observed : static_cast<double>(v.value);
  }

 private:
  static bool is_product(const Case& c) { return c.layer.op == "matmul"; }
  const Case& case_;
  bool relu_;
  QuantizeRule rule_;
  Range range_;
  std::vector<float> bias_;  // per channel, or none
};

bool same(const Cell& a, const Cell& b, std::initializer_list<const char*> keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const char* key) { return a.get(key, "none") == b.get(key, "none"); });
}

/// Another profile's operator at the elements asked for; the whole of it where no element of it can be told alone.
std::function<Values(const std::vector<std::int64_t>&)> values_of(const Case& c, const Layer& as, const Cell& cell) {
  const auto whole = [&c, as, cell](const std::vector<std::int64_t>& elements) { return c.rerun(as, cell, elements); };
  if (!c.is_plain() || c.port != "y") return whole;
  if (FloatRule::applies(c, cell))
    return [&c, whole, cell](const std::vector<std::int64_t>& elements) {
      const FloatRule rule(c, cell);
      Values v;
      if (elements.empty()) {
        if (auto all = rule.all()) return std::move(*all);
        return whole(elements);
      }
      for (const auto i : elements) v.push_back(rule(i));
      return v;
    };
  if (c.layer.op != "matmul" && cell.rule == "either_order" && !is_float(c.observed.dtype) && same(cell, c.cell, {"accumulator", "pairs", "register", "bound"}) && cell.get("pairs", "none") == "none")
    return [&c, cell](const std::vector<std::int64_t>& elements) {
      Values v = c.changed({.stages = cell.stages}, elements);
      const Values other = c.changed({.stages = with_product(cell).stages}, elements);
      for (std::size_t k = 0; k < v.size(); ++k) {
        const double observed = c.observed_value(elements.empty() ? static_cast<std::int64_t>(k) : elements[k]);
        if (observed >= std::min(v[k], other[k]) && observed <= std::max(v[k], other[k])) v[k] = observed;
      }
      return v;
    };
  return whole;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  for (auto& rival : rivals(c.layer, c.op)) {
    if (rival.cell.rule == c.cell.rule && with_sum(c.layer, rival.cell).stages == c.cell.stages && rival.cell.with == c.cell.with) continue;
    const std::size_t before = all.size();
    const std::string sentence = "Computed as " + rival.label + " computes it: " + rival.profile->title + ".";
    if (c.is_plain() && rival.cell.rule == "accumulate" && rival.cell.get("accumulator", "int32") == c.cell.get("accumulator", "int32")) {
      Change change{.stages = rival.cell.stages};
      if (!same(rival.cell, c.cell, {"pairs", "pair_order", "kernels", "pair_outside", "pair_offset", "pair_beyond", "bound"})) change.cell = rival.cell;
      all.push_back(suspect(c, "profile:" + rival.label, sentence, change, 50));
    } else {
      all.push_back({"profile:" + rival.label, sentence, 50, values_of(c, rival.layer, rival.cell), true, {}, true});
    }
    for (std::size_t k = before; k < all.size(); ++k)
      for (const auto& other : rival.alike)
        if (other.find('@') == std::string::npos) all[k].alike.push_back("profile:" + other);  // variants by instruction set would make it long
  }
  return all;
}

}  // namespace

Cause profile() { return {"profile", "another runtime, version or instruction set", {"profile:<name>"}, suspects}; }

}  // namespace lastbit::causes
