// cause.cpp: a case and its trials. See cause.hpp.
#include "verifier/cause.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/kernels/pair_excess.hpp"
#include "lib/num/int.hpp"
#include "lib/profile/expression.hpp"
#include "lib/rules/dynamic.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/pointwise.hpp"
#include "verifier/code_parts.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/row_parts.hpp"
#include "verifier/sum_stage.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {

bool same_value(double a, double b) { return a == b || (a != a && b != b); }

constexpr std::size_t others_kept = 4;

struct Case::Accumulation {
  Geometry geometry;
  AccumulationInput numbers;       // of the operands, without values
  std::optional<AccumulationInput> input;
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
  std::optional<bool> padding;
  bool bytes = false;              // the operands are read where their tensors lie
  struct Whole {                   // sums of the layer's own operands by other pairs, kept for the next that pair alike
    std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
    std::string registers, inside;  // inside: what decides them where no tap lies outside
    std::shared_ptr<const std::vector<std::int64_t>> acc;
  };
  std::vector<Whole> wholes;
  struct Other {                   // and those of other operands, which live as long
    OtherOperands held;
    const OtherOperands::Readings* operands;
    std::string registers;
    std::shared_ptr<const std::vector<std::int64_t>> acc;
  };
  std::vector<Other> others;
  struct Sums {                    // the same of a few elements
    std::vector<std::pair<std::int32_t, std::int32_t>> pairs;
    std::string registers;
    std::vector<std::int64_t> elements, acc;
  };
  std::vector<Sums> few_sums;
  struct Few {                     // the layer's own constants of a few channels, and stages bound to them
    std::vector<std::int64_t> few, places, kept;  // kept: all when empty
    StageBinder bind;
  };
  std::vector<Few> fews;
};

namespace {

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

/// n numbers of an operand from a place on, `step` apart.
void read_numbers(const Reading& reading, const OperandView& own, std::int64_t from, std::int64_t step, std::int64_t n, std::int32_t* to) {
  if (reading.number) {
    for (std::int64_t k = 0; k < n; ++k) to[k] = reading.number(from + k * step);
    return;
  }
  if (reading.place)
    for (std::int64_t k = 0; k < n; ++k) to[k] = own(reading.place(from + k * step));
  else
    own.copy(from, step, n, to);
  if (reading.of_byte && own.bytes)
    for (std::int64_t k = 0; k < n; ++k) to[k] = (*reading.of_byte)[static_cast<std::size_t>(to[k] + 128)];
  else if (reading.value)
    for (std::int64_t k = 0; k < n; ++k) to[k] = reading.value(to[k]);
}

/// Pairs of products, whatever the segments that they come in.
std::vector<std::pair<std::int32_t, std::int32_t>> pairs_of(const std::vector<Segment>& segments) {
  std::vector<std::pair<std::int32_t, std::int32_t>> all;
  for (const auto& s : segments)
    for (std::size_t k = 0; k + 1 < s.size(); k += 2) all.emplace_back(s[k], s[k + 1]);
  std::sort(all.begin(), all.end());
  return all;
}

struct PairRule {
  std::int32_t offset, outside;
  std::int64_t factor;
  PairRule(const Cell& rule, std::int64_t x_zero_point)
      : offset(pair_offset(rule)), outside(pair_outside(rule, x_zero_point)), factor(pair_factor(rule)) {}
};

std::string pair_offset_text(const Cell& rule) { return "/" + std::to_string(pair_offset(rule)) + (pairs_wrap(rule) ? "/wrap" : ""); }

bool wraps(const Cell& rule) { return rule.get("accumulator", "int32") == "int32"; }

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
    : dump(d), entry(e), layer(l), op(o), profile(p), cell(at == "y" ? with_sum(l, c) : c), expected(x), port(at), observed(l.out(at)), differing(comparison.differing), real_(new_reals()) {
  if (!has_accumulator(l, cell, port)) {
    if (port == "y") parts_ = CodeParts::of(l, o);
    if (port == "y" && !parts_) parts_ = RowParts::of(l, o);
    return;
  }
  auto a = std::make_shared<Accumulation>();
  if (l.op == "matmul") {
    a->input.emplace();
    read_product(l, a->geometry, *a->input);
    a->numbers = *a->input;
    a->numbers.x.clear(), a->numbers.w.clear();
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
    a->numbers = numbers_of(base, a->geometry);
    a->bytes = !a->geometry.transposed && info(base.in("x").dtype).bits <= 8 && info(base.in("weight").dtype).bits <= 8;
    if (!a->bytes) a->input = read_operands(base, a->geometry);
  }
  accumulation_ = a;
  const auto view = [&](const Tensor& t, const std::vector<std::int32_t>* wide) { return wide ? OperandView{nullptr, false, wide->data()} : OperandView{t.data, info(t.dtype).min < 0, nullptr}; };
  x_ = view(left(), a->bytes ? nullptr : &a->input->x);
  w_ = view(base().in(right_port()), a->bytes ? nullptr : &a->input->w);
  a->context = requantize_context(base(), cell, a->numbers, channels(), right_port());
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
  auto sums = sums_by(cell);
  if (!a->rows) a->acc = std::move(sums);
  else for (std::int64_t i = 0; i < size(); ++i) a->acc.push_back(sums[static_cast<std::size_t>(slot(i))]);
}

double Case::expected_value(std::int64_t i) const {
  const auto at = static_cast<std::size_t>(i);
  return expected.f.empty() ? static_cast<double>(expected.q[at]) : static_cast<double>(expected.f[at]);
}
double Case::observed_value(std::int64_t i) const { return observed.value(i); }
const Geometry& Case::geometry() const { return accumulation_->geometry; }
const AccumulationInput& Case::numbers() const { return accumulation_->numbers; }
const AccumulationInput& Case::input() const {
  auto& in = accumulation_->input;
  if (!in) in = read_operands(base(), geometry());
  return *in;
}
const std::vector<double>& Case::observed_values() const {
  if (observed_->empty()) *observed_ = observed.f64();
  return *observed_;
}
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

AccumulationInput Case::product_of(const Layer& other) const {
  Geometry same;
  AccumulationInput in;
  read_product(other, same, in);
  return in;
}

std::int64_t Case::zero_point_of(const std::vector<std::int64_t>& of_channels, std::int64_t element) const {
  return of_channels.size() == 1 ? of_channels[0] : of_channels[static_cast<std::size_t>(slot(element) / geometry().positions() % (geometry().groups * geometry().out_channels))];
}

bool Case::is_open(std::int64_t element) const {
  const auto& all = expected.undefined;  // sorted by index
  const auto it = std::lower_bound(all.begin(), all.end(), element, [](const Interval& u, std::int64_t i) { return u.index < i; });
  return it != all.end() && it->index == element && !std::binary_search(differing.begin(), differing.end(), element);
}

/// `inside`: sums that are right where no tap lies outside.
std::vector<std::int64_t> Case::sums_by(const Cell& rule, const std::vector<std::int64_t>* inside) const {
  const auto& a = *accumulation_;
  const Geometry& g = geometry();
  ++cost_->accumulations;
  if (!a.bytes || !rule.get("register").empty()) return accumulate_layer(base(), rule, g, input()).acc;
  const Tensor &x = left(), &w = base().in("weight");
  StreamRequest request;
  request.geometry = g;
  request.operands = {x.dtype, w.dtype, x.data, w.data, false, false, a.numbers.x_zero_point, a.numbers.w_zero_point};
  std::vector<std::int64_t> acc;
  const bool known = wraps(rule) && wraps(cell) && !a.acc.empty() && cell.get("pairs", "none") == "none" && cell.get("register").empty();
  const bool borders = known && inside;
  if (borders) {
    acc = *inside;
    const std::int64_t P = g.positions(), T = g.taps();
    const auto source = sources(g);
    for (std::int64_t p = 0; p < P; ++p)
      if (std::any_of(source.begin() + p * T, source.begin() + (p + 1) * T, [](std::int32_t s) { return s < 0; }))
        for (std::int64_t i = p; i < size(); i += P) acc[static_cast<std::size_t>(i)] = a.acc[static_cast<std::size_t>(i)];
  } else if (known) {
    acc = a.acc;  // modulo 2^32, as what becomes of them
  } else {
    acc.resize(static_cast<std::size_t>(size()));
    stream_sums(request, [&](const SumBlock& b) {
      for (std::int64_t r = 0; r < b.runs; ++r) {
        auto* to = acc.data() + b.first + r * b.step;
        if (b.acc) std::copy_n(b.acc + r * b.acc_step, b.length, to);
        else std::copy_n(b.wide + r * b.acc_step, b.length, to);
      }
    });
  }
  if (const auto segments = pair_segments(base(), rule, g); !segments.empty()) {
    const PairRule pairs(rule, a.numbers.x_zero_point);
    const std::int64_t channels = g.groups * g.out_channels;
    visit_pair_excess(request, segments, pairs.outside, pairs.offset, [&](const PairExcess& e) {
      acc[static_cast<std::size_t>((e.n * channels + e.channel) * g.positions() + e.position)] += e.excess * pairs.factor;
      return true;
    }, borders);
  }
  if (wraps(rule))
    for (auto& v : acc) v = wrap32(v);
  return acc;
}

AccumulationInput Case::numbers_by(const OtherOperands& other) const {
  AccumulationInput in = numbers();
  if (other->x_zero_point) in.x_zero_point = *other->x_zero_point;
  if (other->x_scale) in.x_scale = *other->x_scale;
  if (other->w_zero_point) in.w_zero_point = *other->w_zero_point;
  return in;
}

AccumulationInput Case::read(const OtherOperands& other) const {
  AccumulationInput in = numbers_by(other);
  const auto all_of = [&](const Reading& reading, const OperandView& own, std::int64_t n) {
    std::vector<std::int32_t> all(static_cast<std::size_t>(n));
    read_numbers(reading, own, 0, 1, n, all.data());
    return all;
  };
  const Geometry& g = geometry();
  in.x = all_of(other->x, x_, g.batch * g.groups * g.in_channels * g.in_positions());
  in.w = all_of(other->w, w_, g.groups * g.out_channels * g.terms());
  return in;
}

std::shared_ptr<const std::vector<std::int64_t>> Case::whole_sums(const Change& change) const {
  auto& a = *accumulation_;
  const Cell& rule = change.cell ? *change.cell : cell;
  if (change.input) {
    std::string registers = rule.get("pairs") + rule.get("accumulator", "int32") + rule.get("register");
    for (const auto& o : a.others)
      if (o.operands == &*change.input && o.registers == registers) return o.acc;
    ++cost_->accumulations;
    auto acc = std::make_shared<const std::vector<std::int64_t>>(accumulate_layer(base(), rule, geometry(), read(change.input)).acc);
    if (a.others.size() >= others_kept) a.others.erase(a.others.begin());
    a.others.push_back({change.input, &*change.input, std::move(registers), acc});
    return acc;
  }
  auto pairs = pairs_of(pair_segments(base(), rule, a.geometry));
  std::string registers = registers_of(rule, !pairs.empty());
  for (const auto& w : a.wholes)
    if (w.registers == registers && w.pairs == pairs) return w.acc;
  std::string inside = rule.get("accumulator", "int32") + rule.get("register") + pair_offset_text(rule);
  const auto other = pairs.empty() ? a.wholes.end() : std::find_if(a.wholes.begin(), a.wholes.end(), [&](const auto& w) { return w.inside == inside && w.pairs == pairs; });
  auto acc = std::make_shared<const std::vector<std::int64_t>>(sums_by(rule, other == a.wholes.end() ? nullptr : other->acc.get()));
  a.wholes.push_back({std::move(pairs), std::move(registers), std::move(inside), acc});
  return acc;
}

/// What of a rule, beside its pairs, decides the sums of the layer's own operands.
std::string Case::registers_of(const Cell& rule, bool pairs) const {
  std::string registers = rule.get("accumulator", "int32") + rule.get("register");
  if (pairs) registers += (has_padding() ? rule.get("pair_outside", "zero_point") : "") + pair_offset_text(rule);
  return registers;
}

bool Case::has_padding() const {
  auto& known = accumulation_->padding;
  if (!known) {
    const auto all = sources(geometry());
    known = std::any_of(all.begin(), all.end(), [](auto s) { return s < 0; });
  }
  return *known;
}

void Case::read_terms(const OtherOperands::Readings& in, std::int64_t element, std::int32_t outside, SlotTerms& to) const {
  const Geometry& g = geometry();
  const std::int64_t C = g.in_channels, I = g.in_positions(), T = g.taps();
  to.x.resize(static_cast<std::size_t>(T * C)), to.w.resize(to.x.size()), to.outside.clear();
  for_each_tap(g, slot(element), [&](std::int64_t t, std::int64_t at_x, std::int64_t at_w) {
    std::int32_t *x = &to.x[static_cast<std::size_t>(t * C)], *w = &to.w[static_cast<std::size_t>(t * C)];
    if (at_x < 0) std::fill_n(x, C, outside), to.outside.push_back(t);
    else read_numbers(in.x, x_, at_x, I, C, x);
    read_numbers(in.w, w_, at_w, T, C, w);
  });
}

bool Case::terms_fit() const {
  const auto inside = [](const Tensor& t, std::int64_t zero_point) { return zero_point >= info(t.dtype).min && zero_point <= info(t.dtype).max; };
  const auto& of_w = numbers().w_zero_point;
  return info(left().dtype).bits + info(right().dtype).bits <= 26 && inside(left(), numbers().x_zero_point) && std::all_of(of_w.begin(), of_w.end(), [&](std::int64_t z) { return inside(right(), z); });
}

void Case::terms(std::int64_t element, std::vector<std::int32_t>& products) const {
  thread_local SlotTerms at;
  const auto xz = static_cast<std::int32_t>(numbers().x_zero_point), wz = static_cast<std::int32_t>(zero_point_of(numbers().w_zero_point, element));
  read_terms({}, element, xz, at);
  products.resize(at.x.size());
  for (std::size_t k = 0; k < products.size(); ++k) products[k] = (at.x[k] - xz) * (at.w[k] - wz);
}

/// One element's sum of products, and what the saturation of pairs adds to it.
std::int64_t Case::sum_at(const Cell& rule, const OtherOperands& other, const std::vector<Segment>& segments, std::int64_t element) const {
  static const OtherOperands::Readings as_they_are;
  thread_local SlotTerms at;
  const auto& in = other ? *other : as_they_are;
  const std::int64_t xz = in.x_zero_point.value_or(numbers().x_zero_point), wz = zero_point_of(in.w_zero_point ? *in.w_zero_point : numbers().w_zero_point, element), C = geometry().in_channels;
  read_terms(in, element, static_cast<std::int32_t>(xz), at);
  std::int64_t sum = 0;
  for (std::size_t k = 0; k < at.x.size(); ++k) sum += (at.x[k] - xz) * (at.w[k] - wz);
  if (segments.empty()) return wraps(rule) ? wrap32(sum) : sum;
  const PairRule pairs(rule, xz);
  for (const auto t : at.outside) std::fill_n(at.x.begin() + static_cast<std::ptrdiff_t>(t * C), C, pairs.outside - pairs.offset);
  const auto product = [&](std::int32_t k) { return (std::int64_t{at.x[static_cast<std::size_t>(k)]} + pairs.offset) * at.w[static_cast<std::size_t>(k)]; };
  for (const auto& s : segments)
    for (std::size_t k = 0; k + 1 < s.size(); k += 2) {
      const std::int64_t p = product(s[k]) + product(s[k + 1]);
      sum += (saturate(p, 16) - p) * pairs.factor;
    }
  return wraps(rule) ? wrap32(sum) : sum;
}

std::vector<std::int64_t> Case::sums_of(const Change& change, const std::vector<std::int64_t>& elements) const {
  std::vector<std::int64_t> sums;
  sums.reserve(elements.size());
  if (change.sum) {
    for (const auto i : elements) sums.push_back(change.sum(i));
  } else if (!change.input && !change.cell) {
    for (const auto i : elements) sums.push_back(accumulators()[static_cast<std::size_t>(i)]);
  } else if (4 * static_cast<std::int64_t>(elements.size()) >= size()) {
    const auto acc = whole_sums(change);
    if (static_cast<std::int64_t>(acc->size()) != size()) return {};
    for (const auto i : elements) sums.push_back((*acc)[static_cast<std::size_t>(slot(i))]);
  } else {
    constexpr std::size_t most_kept = 16;
    const Cell& rule = change.cell ? *change.cell : cell;
    const auto segments = pair_segments(base(), rule, geometry());
    auto pairs = pairs_of(segments);
    std::string registers = registers_of(rule, !pairs.empty());
    auto& known = accumulation_->few_sums;
    if (!change.input)
      for (const auto& k : known)
        if (k.registers == registers && k.elements == elements && k.pairs == pairs) return k.acc;
    for (const auto i : elements) sums.push_back(sum_at(rule, change.input, segments, i));
    if (change.input) return sums;
    if (known.size() >= most_kept) known.erase(known.begin());
    known.push_back({std::move(pairs), std::move(registers), elements, sums});
  }
  return sums;
}


namespace {

/// What of a context is some channels': all when none is named.
RequantizeContext picked(const RequantizeContext& from, const std::vector<std::int64_t>& channels) {
  if (channels.empty()) return from;
  RequantizeContext r;
  r.min = from.min, r.max = from.max, r.has_bias = from.has_bias, r.activation = from.activation, r.negative_slope = from.negative_slope, r.lanes = from.lanes;
  if (from.channels.size() <= 1) r.channels = from.channels;
  else for (const auto o : channels) r.channels.push_back(from.channels[static_cast<std::size_t>(o)]);
  return r;
}

}  // namespace

bool Case::has_own_scale(const Change& change) const {
  return change.input && ((change.input->x_scale && *change.input->x_scale != numbers().x_scale) || (change.input->x_zero_point && *change.input->x_zero_point != numbers().x_zero_point));
}

bool Case::changes_constants(const Change& change) const { return change.context || has_own_scale(change) || (change.cell && range_by(*change.cell) != Bounds{accumulation_->context.min, accumulation_->context.max}); }

/// All that a cell decides of the constants: the range of an activation.
Case::Bounds Case::range_by(const Cell& other) const {
  const auto& own = accumulation_->context;
  const std::string bound = other.get("bound");
  if (bound == cell.get("bound") || !base().has_out("y") || is_float(base().out("y").dtype)) return {own.min, own.max};
  const Range r = activated_range(base(), base().out("y"), bound == "half_away" ? Rounding::half_away : Rounding::half_even, bound == "half_even_with_zero_point");
  return {r.min, r.max};
}

/// Before change.context.
RequantizeContext Case::constants_of(const Change& change, const std::vector<std::int64_t>& kept) const {
  RequantizeContext context = has_own_scale(change) ? picked(requantize_context(base(), cell, numbers_by(change.input), channels(), right_port()), kept) : picked(accumulation_->context, kept);
  if (change.cell) std::tie(context.min, context.max) = range_by(*change.cell);
  return context;
}

RequantizeContext Case::context_of(const Change& change) const { return context_of(change, {}); }

bool Case::has_own_lanes(const Stages& stages) {
  return std::any_of(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("fixed ", 0) == 0 && s.substr(0, s.find(' ', 6)).find('/') != std::string::npos; });
}

RequantizeContext Case::context_of(const Change& change, const std::vector<std::int64_t>& kept) const {
  RequantizeContext context = constants_of(change, change.across_channels ? std::vector<std::int64_t>{} : kept);
  if (change.context) change.context(context);
  return change.across_channels ? picked(context, kept) : context;
}

Case::Kept Case::kept_of(const std::vector<std::int64_t>& few) const {
  if (static_cast<std::int64_t>(few.size()) >= channels()) return {{}, few};
  Kept k{few, {}};
  std::sort(k.channels.begin(), k.channels.end());
  k.channels.erase(std::unique(k.channels.begin(), k.channels.end()), k.channels.end());
  for (const auto o : few) k.places.push_back(std::lower_bound(k.channels.begin(), k.channels.end(), o) - k.channels.begin());
  return k;
}

Finisher Case::bound(const Stages& stages, StageBinder& bind) const {
  const auto sum = accumulation_->added.empty() ? static_cast<std::ptrdiff_t>(stages.size()) : sum_stage(stages);
  if (sum == static_cast<std::ptrdiff_t>(stages.size())) return {bind(stages)};
  Finisher f{bind({stages.begin(), stages.begin() + sum})};
  f.fused = stages[static_cast<std::size_t>(sum)] == "sum fused";
  f.after_sum = bind({stages.begin() + sum + 1, stages.end()});
  return f;
}

Finisher Case::finisher_of(const Change& change, const std::vector<std::int64_t>& few, std::vector<std::int64_t>& places) const {
  constexpr std::size_t most_kept = 8;
  const auto stages = stages_of(change);
  const auto anew = [&](RequantizeContext context) {
    StageBinder bind(std::move(context), layer.place);
    return bound(stages, bind);
  };
  if (has_own_lanes(stages)) {
    places = few;
    return anew(context_of(change));
  }
  auto& known = accumulation_->fews;
  auto own = std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.few == few; });
  if (own == known.end()) {
    if (known.size() >= most_kept) known.erase(known.begin());
    Kept kept = kept_of(few);
    StageBinder bind(picked(accumulation_->context, kept.channels), layer.place);
    known.push_back({few, std::move(kept.places), std::move(kept.channels), std::move(bind)});
    own = known.end() - 1;
  }
  places = own->places;
  return changes_constants(change) ? anew(context_of(change, own->kept)) : bound(stages, own->bind);
}

namespace {

bool is_bias(const std::string& stage) { return stage.rfind("bias ", 0) == 0 || stage.rfind("bias64 ", 0) == 0; }

Stages with_held(Stages stages, const std::vector<Held>& held) {
  for (const Held& h : held)
    stages.insert(h.after_bias ? std::find_if_not(stages.begin(), stages.end(), is_bias) : stages.begin(), "register " + std::to_string(h.bits) + (h.saturates ? "-saturate" : "-wrap"));
  return stages;
}

}  // namespace

Stages Case::stages_of(const Change& change) const {
  if (port == "accumulator") return with_held(change.edit ? change.edit({}) : Stages{}, change.held);  // nothing comes after the sum
  Stages stages = change.stages ? *change.stages : change.cell ? change.cell->stages : cell.stages;
  if (!accumulation_->added.empty() && sum_stage(stages) == static_cast<std::ptrdiff_t>(stages.size())) {  // another cell's, as the operator takes it
    Cell other = change.cell ? *change.cell : cell;
    other.stages = std::move(stages);
    stages = with_sum(layer, std::move(other)).stages;
  }
  return with_held(change.edit ? change.edit(stages) : std::move(stages), change.held);
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

Case::Whole Case::whole(const Change& change) const {
  const bool own = change.sum || (!change.input && !change.cell);
  const Stages stages = stages_of(change);
  const RequantizeContext context = context_of(change);
  const auto sum = accumulation_->added.empty() ? static_cast<std::ptrdiff_t>(stages.size()) : sum_stage(stages);
  Whole w{change, {Requantizer({stages.begin(), stages.begin() + sum}, context, layer.place)}, own ? nullptr : whole_sums(change)};
  if (sum == static_cast<std::ptrdiff_t>(stages.size())) return w;
  w.finisher.fused = stages[static_cast<std::size_t>(sum)] == "sum fused";
  w.finisher.after_sum.emplace(Stages{stages.begin() + sum + 1, stages.end()}, context, layer.place);
  return w;
}

void Case::part(const Whole& whole, std::int64_t first, std::span<double> values) const {
  const auto n = static_cast<std::int64_t>(values.size());
  const Change& change = whole.change;
  std::vector<std::int64_t> own;
  std::span<const std::int64_t> sums(accumulators().data() + first, values.size());
  if (whole.sums && !accumulation_->rows && !change.accumulator) {
    sums = {whole.sums->data() + first, values.size()};
  } else if (change.sum || whole.sums || change.accumulator) {
    own.reserve(values.size());
    for (std::int64_t i = first; i < first + n; ++i) {
      const std::int64_t sum = change.sum ? change.sum(i) : whole.sums ? (*whole.sums)[static_cast<std::size_t>(slot(i))] : accumulators()[static_cast<std::size_t>(i)];
      own.push_back(change.accumulator ? change.accumulator(sum, i) : sum);
    }
    sums = own;
  }
  const bool along = accumulation_->rows || geometry().positions() == 1;
  const std::int64_t run = !along ? geometry().positions() : accumulation_->rows ? geometry().out_channels : channels();
  for (std::int64_t i = first; i < first + n;) {
    const std::int64_t length = std::min(run - i % run, first + n - i);
    whole.finisher.stages.values(sums.subspan(static_cast<std::size_t>(i - first), static_cast<std::size_t>(length)), channel_of(i), along, accumulation_->to_float || whole.finisher.after_sum, values.data() + (i - first));
    i += length;
  }
  if (const auto& after = whole.finisher.after_sum) {
    Events ignored = 0;
    for (std::int64_t i = first; i < first + n; ++i) {
      double& v = values[static_cast<std::size_t>(i - first)];
      v = static_cast<double>(after->from_float(summed(whole.finisher.fused, static_cast<float>(v), i), channel_of(i), ignored));
    }
    return;
  }
  if (port == "accumulator")
    for (auto& v : values) v = static_cast<double>(wrap32(static_cast<std::int64_t>(v)));
  else if (accumulation_->dequantized)
    for (auto& v : values) v = static_cast<double>(accumulation_->out_scale * static_cast<float>(static_cast<std::int64_t>(v) - accumulation_->out_zero_point));
}

Values Case::changed(const Change& change, const std::vector<std::int64_t>& wanted) const {
  if (wanted.empty()) {
    const Whole all = whole(change);
    if (all.sums && static_cast<std::int64_t>(all.sums->size()) != size()) return {};
    Values values(static_cast<std::size_t>(size()));
    part(all, 0, values);
    return values;
  }
  const auto sums = sums_of(change, wanted);
  Values values(sums.size());
  std::vector<std::int64_t> few, places;
  for (const auto i : wanted) few.push_back(channel_of(i));
  const Finisher finisher = finisher_of(change, few, places);
  for (std::size_t k = 0; k < sums.size(); ++k) values[k] = finished(finisher, change.accumulator ? change.accumulator(sums[k], wanted[k]) : sums[k], places[k], wanted[k]);
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

Suspect operands_suspect(const Case& c, std::string name, std::string sentence, OtherOperands operands, const std::function<Layer()>& layer, int rank) {
  return c.accumulates() ? suspect(c, std::move(name), std::move(sentence), {.input = std::move(operands)}, rank) : rerun_suspect(c, std::move(name), std::move(sentence), layer(), rank);
}

namespace {

bool changes_sums(const Change& c) { return static_cast<bool>(c.input) || c.sum || c.cell; }

}  // namespace

bool combine(const Change& a, const Change& b) { return !(changes_sums(a) && changes_sums(b)) && !(a.stages && b.stages) && !(a.accumulator && b.accumulator); }

std::optional<Change> combined(const Change& a, const Change& b) {
  if (!combine(a, b)) return std::nullopt;
  const auto sums = changes_sums;
  Change both = sums(a) ? a : b;  // operands, sums and cell of one
  const Change& other = sums(a) ? b : a;
  both.across_channels = a.across_channels || b.across_channels;
  if (other.stages) both.stages = other.stages;
  both.held = a.held;
  both.held.insert(both.held.end(), b.held.begin(), b.held.end());
  if (both.edit && other.edit) both.edit = [first = a.edit, second = b.edit](const Stages& s) { return second(first(s)); };
  else if (other.edit) both.edit = other.edit;
  if (both.context && other.context) both.context = [first = a.context, second = b.context](RequantizeContext& c) { first(c), second(c); };
  else if (other.context) both.context = other.context;
  if (other.accumulator) both.accumulator = other.accumulator;
  return both;
}

}  // namespace lastbit
