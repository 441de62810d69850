// operator.cpp: what all operators share. See operator.hpp.
#include "lib/layer/operator.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/layer/declared.hpp"

namespace lastbit {

const Operator* find_operator(const std::string& name) {
  for (const auto& op : all_operators())
    if (op.name == name) return &op;
  return nullptr;
}

const Cell* cell_for(const Profile& profile, const Operator& op, const Layer& layer) {
  std::vector<std::string> names{op.name};
  names.insert(names.end(), op.families.begin(), op.families.end());
  const Cell* cell = find_cell(profile, names, layer);
  if (cell && !cell->rule.empty() && std::find(op.rules.begin(), op.rules.end(), cell->rule) == op.rules.end()) {
    std::string known;
    for (const auto& rule : op.rules) known += (known.empty() ? "" : ", ") + rule;
    throw Error("profile \"" + profile.name + "\": " + op.name, "found the rule \"" + cell->rule + "\", expected " + (known.empty() ? "none" : "one of " + known));
  }
  return cell;
}

bool declares(const Operator& op, const std::string& output) {
  return output == "accumulator" || std::any_of(op.outputs.begin(), op.outputs.end(), [&](const Port& p) { return p.name == output; });
}

void check_declared(const Layer& layer, const Operator& op) {
  for (const auto& a : op.attributes) check_attribute(layer, a);
  check_scales(layer, op);
  for (const auto& [port, tensor] : layer.outputs) {
    if (declares(op, port)) continue;
    std::string known;
    for (const auto& p : op.outputs) known += (known.empty() ? "" : ", ") + p.name;
    throw Error(layer.place, "found the output \"" + port + "\", expected one of " + known + " (operator " + op.name + ")");
  }
}

void expect_shape(const Layer& layer, const std::string& port, const Shape& expected) {
  if (!layer.has_out(port)) return;
  const auto& t = layer.out(port);
  if (t.shape != expected)
    throw Error(layer.place + ": output \"" + port + "\"", "found the shape " + to_string(t.shape) + ", expected " + to_string(expected));
}

Range stored_range(const Tensor& t) { return {t.q.qmin, t.q.qmax}; }

Range activated_range(const Layer& layer, const Tensor& y, Rounding bound, bool with_zero_point) {
  Range r = stored_range(y);
  if (!layer.attributes.has("activation") || is_float(y.dtype)) return r;
  const auto& a = layer.attributes.values.at("activation");
  if (const auto* c = std::get_if<Clamp>(&a)) return {std::max(r.min, c->min), std::min(r.max, c->max)};
  const std::string kind = layer.attributes.text("activation");
  const std::int64_t zo = y.q.integer_zero_point();
  if (kind == "relu" || kind == "relu6") r.min = std::clamp(zo, r.min, r.max);
  if (kind == "relu6") {
    const float six = 6.0f / static_cast<float>(y.q.scale_of(0));
    const float before = with_zero_point ? six + static_cast<float>(zo) : six;
    const std::int64_t top = six < 0x1p30f ? (with_zero_point ? 0 : zo) + to_integer(static_cast<double>(before), bound).value : r.max;
    r.max = std::clamp(top, r.min, r.max);
  }
  return r;
}

}  // namespace lastbit
