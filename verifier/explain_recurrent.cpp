// explain_recurrent.cpp: see explain_recurrent.hpp.
//
// Gates are exact: integers, then float32 steps. The functions behind them are ranges, of every float32 that a library may return.
#include "verifier/explain_recurrent.hpp"

#include <algorithm>

#include "lib/rules/gates.hpp"
#include "lib/rules/recurrent.hpp"
#include "verifier/compare.hpp"

namespace lastbit {
namespace {

std::string range(FloatRange v) { return v.lo == v.hi || v.lo != v.lo ? shortest(v.lo) : shortest(v.lo) + " to " + shortest(v.hi); }

/// A gate's part of one of the two linear layers: row `row` of its input times row `channel` of its weight.
void explain_part(const RecurrentLinear& l, const std::string& gate, const std::string& source, std::int64_t row, std::int64_t channel, Explanation& e) {
  const AccumulationInput& in = l.operands;
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  const std::int64_t wz = operands.wz(channel);
  std::int64_t sum = 0, terms = 0;
  for_each_product(l.geometry, operands, row * l.geometry.out_channels + channel, [&](std::int64_t, std::int64_t c, std::int64_t x, std::int64_t w, bool) {
    e.products.push_back({"gate " + gate + ", " + source + "[" + std::to_string(c) + "]", x + in.x_zero_point, w + wz, x, w, x * w});
    sum += x * w, ++terms;
  });
  e.accumulation.push_back({gate + ", " + source + ": sum (" + source + "-z)*(w-zw) over " + std::to_string(terms) + " terms", std::to_string(sum), ""});
  const Requantizer requantize(l.cell.stages, requantize_context(l.layer, l.cell, in, l.geometry.out_channels), l.layer.place);
  for (const auto& step : requantize.trace(sum, channel)) {
    const auto cut = step.value.find(" = ");
    e.stages.push_back({gate + ", " + source + ": " + step.stage, step.value.substr(0, cut), cut == std::string::npos ? "" : step.value.substr(cut + 3)});
  }
}

}  // namespace

bool is_recurrent(const Layer& layer) { return layer.op == "lstm_dynamic" || layer.op == "gru_dynamic" || layer.op == "lstm_gates" || layer.op == "gru_gates"; }

void explain_recurrent(const Layer& layer, const Cell& cell, const std::string& output, std::int64_t element, std::size_t most, Explanation& e) {
  const bool lstm = layer.op.rfind("lstm", 0) == 0, whole = layer.op.ends_with("_dynamic");
  const std::vector<std::string> gates = lstm ? std::vector<std::string>{"i", "f", "g", "o"} : std::vector<std::string>{"r", "z", "n"};
  const RecurrentElement at = recurrent_element(layer, cell, output, element);
  const auto line = [](std::string name, std::string value) { return Explanation::Line{std::move(name), std::move(value), ""}; };
  const auto stage = [&](std::string name, std::string value) { e.stages.push_back(line(std::move(name), std::move(value))); };
  if (whole) {
    e.quantities.push_back(line("step, sample, unit", std::to_string(at.step) + ", " + std::to_string(at.row) + ", " + std::to_string(at.unit)));
    const RecurrentLinear x = recurrent_linear(layer, cell, {}), h = recurrent_linear(layer, cell, at.step);
    for (const auto& [name, part] : {std::pair<std::string, const RecurrentLinear&>{"x", x}, {"h", h}})
      e.quantities.push_back(line(name + " scale, zero point", shortest(static_cast<float>(part.operands.x_scale)) + ", " + std::to_string(part.operands.x_zero_point)));
    for (std::size_t g = 0; g < gates.size(); ++g) {
      const std::int64_t channel = static_cast<std::int64_t>(g) * (x.geometry.out_channels / static_cast<std::int64_t>(gates.size())) + at.unit;
      explain_part(x, gates[g], "x", at.input_row, channel, e);
      explain_part(h, gates[g], "h", at.row, channel, e);
    }
    e.terms = static_cast<std::int64_t>(e.products.size());
    std::stable_sort(e.products.begin(), e.products.end(), [](const auto& a, const auto& b) { return std::abs(a.product) > std::abs(b.product); });
    if (e.products.size() > most) e.products.resize(most);
  }
  const auto sum = [&](std::size_t g) { return at.input[g] + at.hidden[g]; };
  for (std::size_t g = 0; g < gates.size(); ++g) {
    if (!whole) e.accumulation.push_back(line(gates[g] + ": ih, hh", shortest(at.input[g]) + ", " + shortest(at.hidden[g])));
    if (lstm || g < 2) stage(gates[g] + " = " + (whole ? "x + h" : "ih + hh"), shortest(sum(g)));
  }
  if (lstm) {
    for (const std::size_t g : {0, 1, 3}) stage("sigmoid(" + gates[g] + ")", range(sigmoid_range(sum(g))));
    stage("tanh(g)", range(tanh_range({sum(2), sum(2)})));
    stage("c before", range(at.c_before));
    stage("c = sigmoid(f) * c + sigmoid(i) * tanh(g)", range(at.c));
    stage("tanh(c)", range(tanh_range(at.c)));
    stage("h = sigmoid(o) * tanh(c)", range(at.h));
  } else {
    for (const std::size_t g : {0, 1}) stage("sigmoid(" + gates[g] + ")", range(sigmoid_range(sum(g))));
    stage("h before", shortest(at.h_before));
    stage("n = tanh(xn + sigmoid(r) * hn)", range(tanh_range(FloatRange{at.input[2], at.input[2]} + FloatRange{at.hidden[2], at.hidden[2]} * sigmoid_range(sum(0)))));
    stage("h = (h - n) * sigmoid(z) + n", range(at.h));
  }
}

}  // namespace lastbit
