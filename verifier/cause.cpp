// cause.cpp: a case and its trials. See cause.hpp.
#include "verifier/cause.hpp"

#include <algorithm>
#include <numeric>

#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {

bool same_value(double a, double b) { return a == b || (a != a && b != b); }

struct Case::Accumulation {
  Geometry geometry;
  AccumulationInput input;
  std::vector<std::int64_t> acc;
};

namespace {

std::vector<std::int64_t> all_elements(std::int64_t n) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

}  // namespace

Case::Case(const Dump& d, const LayerEntry& e, const Layer& l, const Operator& o, const Profile& p, const Cell& c, const Computed& x, const std::string& at, const Comparison& comparison)
    : dump(d), entry(e), layer(l), op(o), profile(p), cell(c), expected(x), port(at), observed(l.out(at)), differing(comparison.differing) {
  if (cell.rule != "accumulate" || port != "y" || cell.stages.empty() || l.op == "conv2d_add" || !l.find("weight") || is_float(l.in("x").dtype)) return;
  const auto geometry = accumulation_geometry(l);
  if (!geometry) return;
  auto a = std::make_shared<Accumulation>();
  a->geometry = *geometry;
  a->input = read_operands(l, a->geometry);
  a->acc = accumulate_layer(l, cell, a->geometry, a->input).acc;
  accumulation_ = std::move(a);
}

double Case::expected_value(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return expected.f.empty() ? static_cast<double>(expected.q[at]) : static_cast<double>(expected.f[at]);
}
double Case::observed_value(std::int64_t i) const { return observed.value(i); }
const Geometry& Case::geometry() const { return accumulation_->geometry; }
const AccumulationInput& Case::input() const { return accumulation_->input; }
const std::vector<std::int64_t>& Case::accumulators() const { return accumulation_->acc; }
bool Case::has_float_bias() const { return layer.find("bias") && is_float(layer.in("bias").dtype); }
std::int64_t Case::channel_of(std::int64_t element) const { return element / geometry().positions() % (geometry().groups * geometry().out_channels); }

Values Case::changed(const Change& change, const std::vector<std::int64_t>& wanted) const {
  const auto& elements = wanted.empty() ? all_elements(size()) : wanted;
  const Geometry& g = change.geometry ? *change.geometry : geometry();
  const AccumulationInput& in = change.input ? *change.input : input();
  const Cell& rule = change.cell ? *change.cell : cell;
  std::vector<std::int64_t> sums;
  sums.reserve(elements.size());
  if (change.sum) for (const auto i : elements) sums.push_back(change.sum(i));
  else if (!change.input && !change.geometry && !change.cell) for (const auto i : elements) sums.push_back(accumulators()[static_cast<std::size_t>(i)]);
  else if (wanted.empty() || rule.get("pairs", "none") != "none") {
    const auto acc = accumulate_layer(layer, rule, g, in).acc;
    if (static_cast<std::int64_t>(acc.size()) != size()) return {};
    for (const auto i : elements) sums.push_back(acc[static_cast<std::size_t>(i)]);
  } else {
    const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
    for (const auto i : elements) {
      std::int64_t sum = 0;
      for_each_product(g, operands, i, [&](auto, auto, std::int64_t x, std::int64_t w, bool) { sum += x * w; });
      sums.push_back(rule.get("accumulator", "int32") == "int32" ? wrap32(sum) : sum);
    }
  }
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  RequantizeContext context = requantize_context(layer, rule, in, channels);
  if (change.context) change.context(context);
  const Requantizer requantize(change.stages ? *change.stages : rule.stages, std::move(context), layer.place);
  const bool floats = is_float(observed.dtype);
  Values values;
  values.reserve(elements.size());
  for (std::size_t k = 0; k < elements.size(); ++k) {
    Events ignored = 0;
    const std::int64_t channel = elements[k] / P % channels;
    const std::int64_t acc = change.accumulator ? change.accumulator(sums[k], elements[k]) : sums[k];
    values.push_back(floats ? static_cast<double>(requantize.to_float(acc, channel, ignored)) : static_cast<double>(requantize(acc, channel, ignored)));
  }
  return values;
}

Values Case::rerun(const Layer& other, const Cell& with, const std::vector<std::int64_t>& elements) const {
  const Result result = op.run(other, with);
  const auto it = result.outputs.find(port);
  if (it == result.outputs.end()) return {};
  const Computed& c = it->second;
  const std::size_t n = std::max(c.q.size(), c.f.size());
  if (static_cast<std::int64_t>(n) != size()) return {};
  const auto value = [&](std::size_t i) { return c.f.empty() ? static_cast<double>(c.q[i]) : static_cast<double>(c.f[i]); };
  Values values;
  if (elements.empty()) for (std::size_t i = 0; i < n; ++i) values.push_back(value(i));
  for (const auto i : elements) values.push_back(value(static_cast<std::size_t>(i)));
  return values;
}

std::vector<std::string> edited(const std::vector<std::string>& stages, const std::function<std::string(const std::string&)>& edit) {
  std::vector<std::string> r;
  for (const auto& s : stages)
    if (auto t = edit(s); !t.empty()) r.push_back(std::move(t));
  return r;
}

int find_stage(const std::vector<std::string>& stages, const std::string& verb) {
  for (std::size_t i = 0; i < stages.size(); ++i)
    if (stages[i] == verb || stages[i].rfind(verb + " ", 0) == 0) return static_cast<int>(i);
  return -1;
}

Suspect suspect(const Case& c, std::string name, std::string sentence, Change change, int rank) {
  const bool costly = change.input || change.geometry || change.sum || (change.cell && change.cell->get("pairs", "none") != "none");
  return {std::move(name), std::move(sentence), rank, [&c, change = std::move(change)](const std::vector<std::int64_t>& e) { return c.changed(change, e); }, costly};
}

Suspect rerun_suspect(const Case& c, std::string name, std::string sentence, Layer layer, int rank) {
  // One run answers for the sample and for all elements.
  auto kept = std::make_shared<std::optional<Values>>();
  return {std::move(name), std::move(sentence), rank,
          [&c, layer = std::move(layer), kept](const std::vector<std::int64_t>& e) -> Values {
            if (!*kept) *kept = c.rerun(layer, c.cell, {});
            if (e.empty() || (*kept)->empty()) return **kept;
            Values v;
            for (const auto i : e) v.push_back((**kept)[static_cast<std::size_t>(i)]);
            return v;
          },
          true};
}

}  // namespace lastbit
