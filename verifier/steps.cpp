// steps.cpp: see steps.hpp.
#include "verifier/steps.hpp"

#include <algorithm>
#include <map>

namespace lastbit {
namespace {

constexpr int most_steps = 8;  // that are put right

/// The step that an element of y belongs to.
std::int64_t step_of(const Layer& layer, std::int64_t element) {
  const Tensor& y = layer.out();
  return layer.attributes.boolean("batch_first", false) ? element / y.dim(2) % y.dim(1) : element / y.dim(2) / y.dim(1);
}

/// Elements of an output that are none of the values they may have.
std::vector<std::int64_t> differing(const Computed& expected, const Tensor& observed) {
  std::map<std::int64_t, const Interval*> open;
  for (const auto& u : expected.undefined) open[u.index] = &u;
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < observed.size(); ++i) {
    const double o = observed.value(i);
    const auto at = open.find(i);
    if (at != open.end() ? o < at->second->lo || o > at->second->hi || o != o : !same_value(o, static_cast<double>(expected.f[static_cast<std::size_t>(i)]))) all.push_back(i);
  }
  return all;
}

}  // namespace

std::vector<std::int64_t> wrong_by_themselves(const Case& c) {
  if (c.cell.rule != "per_step" || !c.layer.has_out("y")) return c.differing;
  const Tensor observed = c.layer.out();
  Layer right = c.layer;
  auto y = observed.f32();
  std::vector<std::int64_t> wrong;
  for (std::int64_t done = -1, n = 0; n <= most_steps; ++n) {
    const Result r = c.op.run(right, c.cell);
    auto later = differing(r.outputs.at("y"), observed);
    std::erase_if(later, [&](std::int64_t i) { return step_of(c.layer, i) <= done; });
    if (later.empty()) return c.port == "y" ? wrong : differing(r.outputs.at(c.port), c.observed);
    done = step_of(c.layer, *std::min_element(later.begin(), later.end(), [&](std::int64_t a, std::int64_t b) { return step_of(c.layer, a) < step_of(c.layer, b); }));
    for (const auto i : later) {
      if (step_of(c.layer, i) != done) continue;
      wrong.insert(std::upper_bound(wrong.begin(), wrong.end(), i), i);
      y[static_cast<std::size_t>(i)] = r.outputs.at("y").f[static_cast<std::size_t>(i)];
    }
    Tensor put_right = Tensor::of_floats(observed.name, observed.shape, y);
    right.outputs.at("y") = std::move(put_right);
  }
  return c.differing;
}

}  // namespace lastbit
