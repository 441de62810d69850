// cause.cpp: a case and its trials. See cause.hpp.
#include "verifier/cause.hpp"

#include <algorithm>
#include <numeric>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/num/int.hpp"
#include "lib/profile/expression.hpp"
#include "lib/rules/dynamic.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/pointwise.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/sum_stage.hpp"

namespace lastbit {

bool same_value(double a, double b) { return a == b || (a != a && b != b); }

struct Case::Accumulation {
  Geometry geometry;
  AccumulationInput input;
  std::vector<std::int64_t> acc;   // by element
  std::int64_t rows = 0;           // of a matrix product; 0: the geometry counts as the output does
  std::optional<Layer> plain;      // the layer after its input was quantized at run time
  bool dequantized = false;        // a dynamic convolution: the stored result is dequantized by the input's own qparams
  RequantizeContext context;       // by the profile's cell and the layer's own operands
  bool to_float = false;           // what requantization ends in
  float out_scale = 1;             // of a dequantized result
  std::int64_t out_zero_point = 0;
  std::vector<float> added;        // conv2d_add: the other operand, its zero point taken off
  float sum_scale = 1;
  struct Whole {                   // sums of the layer's own operands by other pairs, kept for the next that pair alike
    std::vector<Segment> segments;
    std::string registers;
    std::shared_ptr<const std::vector<std::int64_t>> acc;
  };
  std::vector<Whole> wholes;
};

namespace {

std::vector<std::int64_t> all_elements(std::int64_t n) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

/// A matrix product as a window of one tap: the matrices of the batch are groups, b's columns output channels, a's rows positions.
void read_product(const Layer& layer, Geometry& g, AccumulationInput& in) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.has_out("y") ? layer.out() : layer.out("accumulator");
  const bool turned = layer.attributes.boolean("transpose_b", false);
  const std::int64_t M = y.dim(-2), N = y.dim(-1), K = a.dim(-1);
  const Shape outer(y.shape.begin(), y.shape.end() - 2), a_outer(a.shape.begin(), a.shape.end() - 2), b_outer(b.shape.begin(), b.shape.end() - 2);
  const auto a_batch = broadcast_index(a_outer, outer), b_batch = broadcast_index(b_outer, outer);
  const auto batches = static_cast<std::int64_t>(a_batch.size());
  g.groups = batches, g.in_channels = K, g.out_channels = N;
  g.in[2] = g.out[2] = M;
  const auto qa = a.i32(), qb = b.i32();
  for (std::int64_t i = 0; i < batches; ++i) {
    const std::int64_t from_a = a_batch[static_cast<std::size_t>(i)] * M * K, from_b = b_batch[static_cast<std::size_t>(i)] * K * N;
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t m = 0; m < M; ++m) in.x.push_back(qa[static_cast<std::size_t>(from_a + m * K + k)]);
    for (std::int64_t n = 0; n < N; ++n) {
      for (std::int64_t k = 0; k < K; ++k) in.w.push_back(qb[static_cast<std::size_t>(from_b + (turned ? n * K + k : k * N + n))]);
      in.w_zero_point.push_back(b.q.integer_zero_point(n));
    }
  }
  in.x_zero_point = a.q.integer_zero_point();
  in.x_dtype = a.dtype;
  in.x_scale = a.q.quantized() ? a.q.scale_of(0) : 1;
}

/// What the saturation of pairs adds to the sum of one element: pair_excess() of it alone.
std::int64_t excess_of_pairs(const Geometry& g, const AccumulationInput& in, const Cell& rule, const std::vector<Segment>& segments, std::int64_t element) {
  const std::int64_t offset = rule.get("pair_offset") == "128" ? 128 : 0, outside = rule.get("pair_outside", "zero_point") == "zero" ? 0 : in.x_zero_point + offset;
  const std::vector<std::int64_t> no_zero_point{0};
  std::vector<std::int64_t> products(static_cast<std::size_t>(g.terms()));
  for_each_product(g, {in.x, in.w, 0, no_zero_point}, element, [&](std::int64_t t, std::int64_t c, std::int64_t x, std::int64_t w, bool is_outside) {
    products[static_cast<std::size_t>(t * g.in_channels + c)] = (is_outside ? outside : x + offset) * w;
  });
  std::int64_t excess = 0;
  for (const auto& s : segments)
    for (std::size_t k = 0; k + 1 < s.size(); k += 2) {
      const std::int64_t p = products[static_cast<std::size_t>(s[k])] + products[static_cast<std::size_t>(s[k + 1])];
      excess += saturate(p, 16) - p;
    }
  return excess;
}

bool ends_with(const std::string& s, const std::string& end) { return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0; }

/// Whether the layer's output comes from sums of products, through the stages of its cell.
bool has_accumulator(const Layer& l, const Cell& cell, const std::string& port) {
  if (l.op == "matmul" && (l.in("a").rank() < 2 || l.in("b").rank() < 2)) return false;  // vectors
  // On AMX a convolution's sums are known, whichever of two kernels rounded them ("either_order").
  if ((cell.rule != "accumulate" && cell.rule != "either_order") || (port != "accumulator" && (port != "y" || cell.stages.empty()))) return false;
  return l.op == "matmul" || (l.find("weight") && (!is_float(l.in("x").dtype) || ends_with(l.op, "_dynamic")));
}

}  // namespace

Case::Case(const Dump& d, const LayerEntry& e, const Layer& l, const Operator& o, const Profile& p, const Cell& c, const Computed& x, const std::string& at, const Comparison& comparison)
    : dump(d), entry(e), layer(l), op(o), profile(p), cell(at == "y" ? with_sum(l, c) : c), expected(x), port(at), observed(l.out(at)), differing(comparison.differing) {
  if (!has_accumulator(l, cell, port)) return;
  auto a = std::make_shared<Accumulation>();
  if (l.op == "matmul") {
    read_product(l, a->geometry, a->input);
    a->rows = a->geometry.out[2];
  } else {
    if (is_float(l.in("x").dtype)) {
      const DynamicInput chosen = quantize_dynamic_input(l, cell, l.in("x"));
      a->dequantized = l.op != "linear_dynamic";
      a->plain = static_layer(l, chosen, a->dequantized ? l.op.substr(0, l.op.find('_')) : l.op, a->dequantized ? std::optional(chosen.qparams()) : std::nullopt);
    }
    const Layer& base = a->plain ? *a->plain : l;
    const auto geometry = accumulation_geometry(base);
    if (!geometry) return;
    a->geometry = *geometry;
    a->input = read_operands(base, a->geometry);
  }
  const auto sums = accumulate_layer(a->plain ? *a->plain : l, cell, a->geometry, a->input).acc;
  accumulation_ = a;
  ++cost_->accumulations;
  a->context = requantize_context(base(), cell, a->input, channels(), right_port());
  if (port != "accumulator") {
    const Tensor& y = base().out();
    a->to_float = is_float(y.dtype);
    if (a->dequantized) a->out_scale = static_cast<float>(y.q.scale_of(0)), a->out_zero_point = y.q.integer_zero_point();
  }
  if (l.op == "conv2d_add" && port == "y") {
    const Tensor& t = l.in("a");
    for (std::int64_t i = 0; i < t.size(); ++i) a->added.push_back(static_cast<float>(t.integer(i) - t.q.integer_zero_point()));
    a->sum_scale = static_cast<float>(Expression::parse(cell.get("sum_scale"), l.place).evaluate({{"sa", t.q.scale_of(0)}}).value);
  }
  if (!a->rows) a->acc = sums;
  else for (std::int64_t i = 0; i < size(); ++i) a->acc.push_back(sums[static_cast<std::size_t>(slot(i))]);
}

double Case::expected_value(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return expected.f.empty() ? static_cast<double>(expected.q[at]) : static_cast<double>(expected.f[at]);
}
double Case::observed_value(std::int64_t i) const { return observed.value(i); }
const Geometry& Case::geometry() const { return accumulation_->geometry; }
const AccumulationInput& Case::input() const { return accumulation_->input; }
const std::vector<std::int64_t>& Case::accumulators() const { return accumulation_->acc; }
const Layer& Case::base() const { return accumulation_ && accumulation_->plain ? *accumulation_->plain : layer; }
std::string Case::left_port() const { return accumulation_->rows ? "a" : "x"; }
const Tensor& Case::left() const { return base().in(left_port()); }
std::string Case::right_port() const { return accumulation_->rows ? "b" : "weight"; }
const Tensor& Case::right() const { return layer.in(right_port()); }
bool Case::has_float_bias() const { return layer.find("bias") && is_float(layer.in("bias").dtype); }
std::int64_t Case::channels() const { return accumulation_->rows ? geometry().out_channels : geometry().groups * geometry().out_channels; }
std::int64_t Case::channel_of(std::int64_t element) const { return accumulation_->rows ? element % geometry().out_channels : element / geometry().positions() % channels(); }
std::int64_t Case::slot(std::int64_t element) const {
  if (!accumulation_->rows) return element;
  const std::int64_t N = geometry().out_channels, M = accumulation_->rows, n = element % N, m = element / N % M;
  return (element / N / M * N + n) * M + m;
}

AccumulationInput Case::operands_of(const Layer& other) const {
  if (accumulation_->rows) {
    Geometry same;
    AccumulationInput in;
    read_product(other, same, in);
    return in;
  }
  if (!accumulation_->plain) return read_operands(other, geometry());
  Layer quantized = *accumulation_->plain;  // x stays as it was quantized
  quantized.inputs.at("weight") = other.in("weight");
  return read_operands(quantized, geometry());
}

const Real& Case::real_values() const {
  if (!*real_) {
    Result result;
    result.outputs[port] = expected;
    *real_ = op.real(layer, result);
  }
  return **real_;
}

bool Case::is_open(std::int64_t element) const {
  const auto& all = expected.undefined;  // sorted by index
  const auto it = std::lower_bound(all.begin(), all.end(), element, [](const Interval& u, std::int64_t i) { return u.index < i; });
  return it != all.end() && it->index == element && !std::binary_search(differing.begin(), differing.end(), element);
}

std::shared_ptr<const std::vector<std::int64_t>> Case::whole_sums(const Cell& rule, const AccumulationInput& in, bool other_operands) const {
  auto& a = *accumulation_;
  const auto segments = pair_segments(base(), rule, a.geometry);
  std::string registers = rule.get("accumulator", "int32") + rule.get("register");
  if (!segments.empty()) registers += rule.get("pair_outside", "zero_point") + rule.get("pair_offset");
  if (!other_operands)
    for (const auto& w : a.wholes)
      if (w.registers == registers && w.segments == segments) return w.acc;
  ++cost_->accumulations;
  auto acc = std::make_shared<const std::vector<std::int64_t>>(accumulate_layer(base(), rule, a.geometry, in).acc);
  if (!other_operands) a.wholes.push_back({segments, registers, acc});
  return acc;
}

std::vector<std::int64_t> Case::sums_of(const Change& change, const std::vector<std::int64_t>& wanted) const {
  const auto& elements = wanted.empty() ? all_elements(size()) : wanted;
  const AccumulationInput& in = change.input ? *change.input : input();
  const Cell& rule = change.cell ? *change.cell : cell;
  std::vector<std::int64_t> sums;
  sums.reserve(elements.size());
  if (change.sum) for (const auto i : elements) sums.push_back(change.sum(i));
  else if (!change.input && !change.cell) for (const auto i : elements) sums.push_back(accumulators()[static_cast<std::size_t>(i)]);
  else if (wanted.empty() || 4 * static_cast<std::int64_t>(wanted.size()) >= size()) {
    const auto acc = whole_sums(rule, in, static_cast<bool>(change.input));
    if (static_cast<std::int64_t>(acc->size()) != size()) return {};
    for (const auto i : elements) sums.push_back((*acc)[static_cast<std::size_t>(slot(i))]);
  } else {
    const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
    const auto segments = pair_segments(base(), rule, geometry());
    for (const auto i : elements) {
      std::int64_t sum = 0;
      for_each_product(geometry(), operands, slot(i), [&](auto, auto, std::int64_t x, std::int64_t w, bool) { sum += x * w; });
      if (!segments.empty()) sum += excess_of_pairs(geometry(), in, rule, segments, slot(i));
      sums.push_back(rule.get("accumulator", "int32") == "int32" ? wrap32(sum) : sum);
    }
  }
  return sums;
}

bool Case::has_own_context(const Change& change) const {
  return !change.cell && (!change.input || (change.input->x_scale == input().x_scale && change.input->x_zero_point == input().x_zero_point));
}

RequantizeContext Case::context_of(const Change& change) const {
  RequantizeContext context = has_own_context(change) ? accumulation_->context : requantize_context(base(), change.cell ? *change.cell : cell, change.input ? *change.input : input(), channels(), right_port());
  if (change.context) change.context(context);
  return context;
}

Finisher Case::finisher_of(const Change& change, const std::vector<std::int64_t>& few, std::vector<std::int64_t>& places) const {
  places.clear();
  const Stages stages = stages_of(change);
  const auto bound = [&](const RequantizeContext& context) {
    const auto sum = accumulation_->added.empty() ? static_cast<std::ptrdiff_t>(stages.size()) : sum_stage(stages);
    Finisher f{Requantizer({stages.begin(), stages.begin() + sum}, context, layer.place)};
    if (sum == static_cast<std::ptrdiff_t>(stages.size())) return f;
    f.fused = stages[static_cast<std::size_t>(sum)] == "sum fused";
    f.after_sum.emplace(Stages{stages.begin() + sum + 1, stages.end()}, context, layer.place);
    return f;
  };
  const bool lanes = std::any_of(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("fixed ", 0) == 0 && s.substr(0, s.find(' ', 6)).find('/') != std::string::npos; });
  const bool restricted = !lanes && static_cast<std::int64_t>(few.size()) < channels();
  if (!restricted) {
    places = few;
    return bound(context_of(change));
  }
  std::vector<std::int64_t> kept = few;
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  const auto pick = [&](const RequantizeContext& from) {
    RequantizeContext r;
    r.min = from.min, r.max = from.max, r.has_bias = from.has_bias, r.activation = from.activation, r.negative_slope = from.negative_slope, r.lanes = from.lanes;
    if (from.channels.size() <= 1) r.channels = from.channels;
    else for (const auto o : kept) r.channels.push_back(from.channels[static_cast<std::size_t>(o)]);
    return r;
  };
  for (const auto o : few) places.push_back(std::lower_bound(kept.begin(), kept.end(), o) - kept.begin());
  if (change.across_channels || !has_own_context(change)) return bound(pick(context_of(change)));
  RequantizeContext context = pick(accumulation_->context);
  if (change.context) change.context(context);
  return bound(context);
}

Stages Case::stages_of(const Change& change) const {
  if (port == "accumulator") return change.edit ? change.edit({}) : Stages{};  // nothing comes after the sum
  Stages stages = change.stages ? *change.stages : change.cell ? change.cell->stages : cell.stages;
  if (!accumulation_->added.empty() && sum_stage(stages) == static_cast<std::ptrdiff_t>(stages.size())) {  // another cell's, as the operator takes it
    Cell other = change.cell ? *change.cell : cell;
    other.stages = std::move(stages);
    stages = with_sum(layer, std::move(other)).stages;
  }
  return change.edit ? change.edit(stages) : stages;
}

float Case::summed(bool fused_once, float convolution, std::int64_t element) const {
  const float added = accumulation_->added[static_cast<std::size_t>(element)];
  if (fused_once) return fused(added, accumulation_->sum_scale, convolution);
  const float scaled = added * accumulation_->sum_scale;
  return convolution + scaled;
}

double Case::finished(const Finisher& f, std::int64_t acc, std::int64_t place, std::int64_t element) const {
  Events ignored = 0;
  if (port == "accumulator") return static_cast<double>(wrap32(f.stages(acc, place, ignored)));
  if (f.after_sum) return static_cast<double>(f.after_sum->from_float(summed(f.fused, f.stages.to_float(acc, place, ignored), element), place, ignored));
  if (accumulation_->to_float) return static_cast<double>(f.stages.to_float(acc, place, ignored));
  const std::int64_t q = f.stages(acc, place, ignored);
  if (!accumulation_->dequantized) return static_cast<double>(q);
  return static_cast<double>(accumulation_->out_scale * static_cast<float>(q - accumulation_->out_zero_point));
}

std::vector<TraceStep> Case::trace(std::int64_t acc, std::int64_t element) const {
  std::vector<std::int64_t> places;
  const Finisher f = finisher_of({}, {channel_of(element)}, places);
  auto all = f.stages.trace(acc, places[0]);
  if (!f.after_sum) return all;
  Events ignored = 0;
  const float sum = summed(f.fused, f.stages.to_float(acc, places[0], ignored), element);
  const Stages stages = stages_of({});
  all.push_back({stages[static_cast<std::size_t>(sum_stage(stages))], shortest(sum) + " = " + Exact(static_cast<double>(sum)).fraction()});
  for (auto& step : f.after_sum->trace_from_float(sum, places[0])) all.push_back(std::move(step));
  return all;
}

Values Case::changed(const Change& change, const std::vector<std::int64_t>& wanted) const {
  const auto sums = sums_of(change, wanted);
  Values values(sums.size());
  std::vector<std::int64_t> few, places;
  for (std::size_t k = 0; k < std::min(sums.size(), wanted.size()); ++k) few.push_back(channel_of(wanted[k]));
  if (wanted.empty()) few.resize(static_cast<std::size_t>(channels()));  // all of them
  const Finisher finisher = finisher_of(change, few, places);
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const std::int64_t i = wanted.empty() ? static_cast<std::int64_t>(k) : wanted[k];
    values[k] = finished(finisher, change.accumulator ? change.accumulator(sums[k], i) : sums[k], wanted.empty() ? channel_of(i) : places[k], i);
  }
  return values;
}

Values Case::rerun(const Layer& other, const Cell& with, const std::vector<std::int64_t>& elements) const {
  try {
    check_declared(other, op);
    op.check(other);
  } catch (const Error&) {
    return {};  // a change that the operator does not take: an input without a scale, other shapes
  }
  ++cost_->runs;
  const Result result = op.run(other, other.op == "conv2d_add" ? without_sum(with) : with);
  const auto it = result.outputs.find(port);
  if (it == result.outputs.end()) return {};
  const Computed& c = it->second;
  const std::size_t n = std::max(c.q.size(), c.f.size());
  if (static_cast<std::int64_t>(n) != size()) return {};
  Values all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = c.f.empty() ? static_cast<double>(c.q[i]) : static_cast<double>(c.f[i]);
  for (const auto& u : c.undefined)  // any value of the interval is the change's own
    if (const double o = observed_value(u.index); o >= u.lo && o <= u.hi) all[static_cast<std::size_t>(u.index)] = o;
  if (elements.empty()) return all;
  Values values;
  for (const auto i : elements) values.push_back(all[static_cast<std::size_t>(i)]);
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
  const bool costly = static_cast<bool>(change.input) || change.sum || (change.cell && change.cell->get("pairs", "none") != "none");
  const auto kept = std::make_shared<const Change>(std::move(change));
  return {std::move(name), std::move(sentence), rank, [&c, kept](const std::vector<std::int64_t>& e) { return c.changed(*kept, e); }, costly, kept};
}

Suspect operands_suspect(const Case& c, std::string name, std::string sentence, const Layer& layer, int rank) {
  return c.accumulates() ? suspect(c, std::move(name), std::move(sentence), {.input = c.operands_of(layer)}, rank) : rerun_suspect(c, std::move(name), std::move(sentence), layer, rank);
}

std::optional<Change> combined(const Change& a, const Change& b) {
  const auto sums = [](const Change& c) { return static_cast<bool>(c.input) || c.sum || c.cell; };
  if ((sums(a) && sums(b)) || (a.stages && b.stages)) return std::nullopt;
  Change both = sums(a) ? a : b;  // operands, sums and cell of one
  const Change& other = sums(a) ? b : a;
  both.across_channels = a.across_channels || b.across_channels;
  if (other.stages) both.stages = other.stages;
  if (both.edit && other.edit) both.edit = [first = a.edit, second = b.edit](const Stages& s) { return second(first(s)); };
  else if (other.edit) both.edit = other.edit;
  if (both.context && other.context) both.context = [first = a.context, second = b.context](RequantizeContext& c) { first(c), second(c); };
  else if (other.context) both.context = other.context;
  if (both.accumulator && other.accumulator) return std::nullopt;
  if (other.accumulator) both.accumulator = other.accumulator;
  return both;
}

Suspect rerun_suspect(const Case& c, std::string name, std::string sentence, Layer layer, int rank) {
  // One run answers for the sample and for all elements.
  auto kept = std::make_shared<std::optional<Values>>();
  const auto other = std::make_shared<const Layer>(std::move(layer));
  Suspect s{std::move(name), std::move(sentence), rank,
            [&c, other, kept](const std::vector<std::int64_t>& e) -> Values {
              if (!*kept) *kept = c.rerun(*other, c.cell, {});
              if (e.empty() || (*kept)->empty()) return **kept;
              Values v;
              for (const auto i : e) v.push_back((**kept)[static_cast<std::size_t>(i)]);
              return v;
            },
            true};
  s.layer = other;
  return s;
}

}  // namespace lastbit
