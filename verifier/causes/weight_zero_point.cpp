// weight_zero_point: the weight's zero point was not taken off.
#include <algorithm>

#include "verifier/altered.hpp"
#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> of_runs(const Case& c) {
  std::vector<Suspect> all;
  const auto ports = weight_ports(c);
  const auto with = [](double zero_point) {
    return [zero_point](const Tensor& t) {
      Tensor r = t;
      if (t.q.zero_point.empty() && zero_point == 0) return r;
      r.q.zero_point.assign(std::max<std::size_t>(t.q.zero_point.size(), 1), zero_point);
      return r;
    };
  };
  add_edited(c, all, ports, "weight-zero-point:ignored", "The weight's zero point was not taken off.", with(0));
  for (const auto& port : ports) {  // unsigned codes of few bits have one where none is given: their middle
    const auto& type = info(c.layer.in(port).dtype);
    if (type.min == 0 && type.bits < 8) {
      const auto middle = std::int64_t{1} << (type.bits - 1);
      add_edited(c, all, {port}, "weight-zero-point:ignored", "The weight's own zero points were not read: " + std::to_string(middle) + " stood for each.", with(static_cast<double>(middle)), 11);
    }
  }
  if (c.layer.find("weight_bias")) {
    Layer other = c.layer;
    other.inputs.erase("weight_bias");
    all.push_back(rerun_suspect(c, "weight-zero-point:ignored", "The weight's zero points, held in real units (weight_bias), were left out.", other, 11));
    for (const auto& port : ports) {
      if (with(0)(c.layer.in(port)).q.zero_point == c.layer.in(port).q.zero_point) continue;
      Layer neither = other;
      neither.inputs.at(port) = with(0)(c.layer.in(port));
      all.push_back(rerun_suspect(c, "weight-zero-point:ignored", "Neither the weight's zero point nor what is added to every weight (weight_bias) was taken into account.", std::move(neither), 12));
    }
  }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  if (FloatSums::applies(c)) {
    const auto sums = std::make_shared<const FloatSums>(c);
    const auto other = std::make_shared<const std::vector<std::int64_t>>(sums->sums_of([](const Geometry&, AccumulationInput& in) { in.w_zero_point = {0}; }));
    if (*other == sums->sums()) return {};
    return {float_sums_suspect(sums, "weight-zero-point:ignored", "The zero point of b was not taken off.", [other](std::int64_t i) { return (*other)[static_cast<std::size_t>(i)]; })};
  }
  if (!c.accumulates()) return of_runs(c);
  if (std::all_of(c.numbers().w_zero_point.begin(), c.numbers().w_zero_point.end(), [](auto z) { return z == 0; })) return {};
  return {suspect(c, "weight-zero-point:ignored", "The weight's zero point was not taken off.", {.input = OtherOperands({.w_zero_point = std::vector<std::int64_t>{0}})})};
}

}  // namespace

Cause weight_zero_point() { return {"weight-zero-point", "the weight's zero point ignored", {"weight-zero-point:ignored"}, suspects}; }

}  // namespace lastbit::causes
