// audit.cpp: see audit.hpp.
#include "verifier/audit.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "lib/dump/write.hpp"
#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/onednn_pairs.hpp"
#include "lib/rules/worst_case.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

constexpr std::size_t changed_kept = 100000;

double rounded(double v) { return std::isfinite(v) && std::fabs(v) < 1e12 ? static_cast<double>(rne(v * 1e4)) / 1e4 : v; }

/// Bits that a value needs in two's complement, as a fraction: 1 + log2 of the larger end.
double bits_needed(std::int64_t lo, std::int64_t hi) {
  const double size = std::max(lo < 0 ? -static_cast<double>(lo) : 0.0, hi > 0 ? static_cast<double>(hi) + 1 : 0.0);
  return size <= 1 ? 1 : 1 + std::log2(size);
}

/// Terms in the order in which the profile's variant without VNNI pairs them; empty: it never pairs.
std::vector<Segment> pair_segments(const Layer& layer, const Geometry& g, const Cell& cell) {
  if (cell.get("pairs", "none") != "int16") return {};
  const std::int64_t T = g.taps(), C = g.in_channels;
  const std::string order = cell.get("pair_order", "flat");
  if (order == "onednn") return onednn_segments(layer, g, cell.get("kernels"));
  Segment all;
  for (std::int64_t k = 0; k < T * C; ++k) all.push_back(static_cast<std::int32_t>(order == "channels_first" ? k % T * C + k / T : k));
  return {all};
}

/// The same layer without VNNI: the profile's cell on AVX2.
struct Variant {
  std::string label;
  Layer layer;
  const Cell* cell = nullptr;
};
Variant without_vnni(const Profile& profile, const Operator& op, const Layer& layer) {
  Variant v{profile.name, layer, nullptr};
  Producer producer = layer.producer;
  const std::string isa = producer.at("isa");
  if (isa.empty() || isa == "avx512_vnni" || isa == "avx2_vnni") producer.fields["isa"] = "avx2", v.label += "@avx2";
  else v.label = profile_label(profile, isa);
  set_producer(v.layer, &op, std::move(producer));
  v.cell = cell_for(profile, op, v.layer);
  return v;
}

void audit_pairs(const Layer& layer, const Geometry& g, const AccumulationInput& in, const Cell& cell, std::int64_t x_min, std::int64_t x_max, const RequantizeContext& context, LayerAudit& a) {
  const auto segments = pair_segments(layer, g, cell);
  if (layer.in("x").dtype != DType::uint8 || layer.in("weight").dtype != DType::int8) {
    a.pairs_rule = "the operands are not u8 and s8";
    return;
  }
  if (segments.empty()) {
    a.pairs_rule = "no kernel of this profile pairs products";
    return;
  }
  const std::int64_t C = g.in_channels, T = g.taps();
  std::int64_t largest = 0;
  for (std::size_t o = 0; o < a.channels.size(); ++o) {
    std::int64_t up = 0, down = 0;
    for (const auto& s : segments)
      for (std::size_t k = 0; k + 1 < s.size(); k += 2) {
        const auto weight = [&](std::int32_t term) { return static_cast<std::int64_t>(in.w[static_cast<std::size_t>((static_cast<std::int64_t>(o) * C + term % C) * T + term / C)]); };
        const std::int64_t w0 = weight(s[k]), w1 = weight(s[k + 1]);
        largest = std::max({largest, std::abs(w0), std::abs(w1)});
        const std::int64_t hi = std::max(w0 * x_min, w0 * x_max) + std::max(w1 * x_min, w1 * x_max), lo = std::min(w0 * x_min, w0 * x_max) + std::min(w1 * x_min, w1 * x_max);
        if (hi <= 32767 && lo >= -32768) continue;
        ++a.channels[o].pairs_possible;
        up += std::max<std::int64_t>(0, -32768 - lo), down += std::max<std::int64_t>(0, hi - 32767);
      }
    const auto& names = context.channels.size() == 1 ? context.channels[0] : context.channels[o];
    a.channels[o].pairs_error_lsb = rounded(static_cast<double>(std::max(up, down)) * names.at("si") * names.at("sw") / names.at("so"));
    a.pairs.possible += a.channels[o].pairs_possible;
    a.pairs.channels += a.channels[o].pairs_possible > 0;
  }
  if (a.pairs.possible == 0)
    a.pairs_rule = largest <= 64 ? "all |w| <= 64" : x_max <= 127 ? "the input's range is reduced to " + std::to_string(x_min) + ".." + std::to_string(x_max) : "no pair of weights is large enough";
}

void audit_cost(const Evaluated& e, const Operator& op, const Layer& layer, const Cell& cell, const std::string& model, LayerAudit& a) {
  const Evaluated other = evaluate(layer, op, cell);
  const auto it = e.result.outputs.find("y"), under = other.result.outputs.find("y");
  if (it == e.result.outputs.end() || under == other.result.outputs.end() || it->second.q.empty()) return;
  Cost c;
  c.model = model;
  c.elements = static_cast<std::int64_t>(it->second.q.size());
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < it->second.q.size(); ++i) {
    const std::int64_t from = it->second.q[i], to = under->second.q[i];
    if (from == to) continue;
    ++c.changed;
    sum += to - from;
    c.max_lsb = std::max(c.max_lsb, std::abs(to - from));
    if (c.which.size() < changed_kept) c.which.push_back({stored_index(e.layer.out("y"), static_cast<std::int64_t>(i)), from, to});
  }
  c.mean_lsb = rounded(c.elements ? static_cast<double>(sum) / static_cast<double>(c.elements) : 0);
  a.costs.push_back(std::move(c));
}

void write_witness(const AuditOptions& options, const Dump& dump, const Evaluated& e, const Operator& op, const Cell& cell, const Profile& profile, const Geometry& g, const AccumulationInput& in,
                   std::int64_t x_min, std::int64_t x_max, const std::vector<ChannelBounds>& bounds, LayerAudit& a) {
  std::size_t worst = 0;
  const auto size = [](const ChannelBounds& b) { return std::max(-static_cast<double>(b.min), static_cast<double>(b.max)); };
  for (std::size_t o = 1; o < bounds.size(); ++o)
    if (size(bounds[o]) > size(bounds[worst])) worst = o;
  const bool maximum = static_cast<double>(bounds[worst].max) >= -static_cast<double>(bounds[worst].min);
  Geometry one = g;
  one.batch = 1;
  Layer layer = e.layer;
  layer.name += ".witness";
  Tensor& x = layer.inputs.at("x");
  Shape shape = x.shape;
  if (layer.op == "linear") shape = {1, x.dim(-1)};
  else shape[0] = 1;
  const auto values = witness(one, in, x_min, x_max, static_cast<std::int64_t>(worst), maximum ? bounds[worst].max_position : bounds[worst].min_position, maximum);
  x = Tensor::of_integers("x", x.dtype, shape, x.q, values);
  for (auto& [port, t] : layer.inputs) t.name = port, t.stored_axes.clear();
  Tensor& y = layer.outputs.at("y");
  Shape out = y.shape;
  if (layer.op == "linear") out = {1, y.dim(-1)};
  else out[0] = 1;
  const std::vector<std::int32_t> zeros(static_cast<std::size_t>(count(out)));
  y = Tensor::of_integers("y", y.dtype, out, y.q, zeros);
  layer.outputs.erase("accumulator");
  const Result r = op.run(layer, cell);
  y = Tensor::of_integers("y", y.dtype, out, y.q, r.outputs.at("y").q);
  DumpToWrite w;
  w.producer = dump.producer();
  w.profile = profile.name;
  w.layers.push_back(layer);
  std::string file = e.layer.name;
  std::replace_if(file.begin(), file.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '-'; }, '_');
  a.witness = options.witness + "/" + file;
  write_dump(a.witness, w);
}

void audit_layer(const AuditOptions& options, const Dump& dump, const LayerEntry& entry, LayerReport& report, LayerAudit& a) {
  const ChosenProfile chosen = choose_profile(dump, entry, options.verify.profile);
  const Operator* op = find_operator(entry.op);
  if (!obstacle(entry, chosen, op).empty()) return;
  Layer bound = bind_layer(dump, entry, chosen.isa);
  const Cell* cell = cell_for(*chosen.profile, *op, bound);
  if (!cell) return;
  const Evaluated e = evaluate(std::move(bound), *op, *cell);
  if (const auto it = e.result.outputs.find("y"); it != e.result.outputs.end() && !it->second.q.empty()) {
    const Computed& y = it->second;
    const Tensor& observed = e.layer.out("y");
    const Range range = activated_range(e.layer, observed);
    std::int64_t low = 0, high = 0;
    const bool fixed_point = std::any_of(cell->stages.begin(), cell->stages.end(), [](const std::string& stage) { return stage.rfind("fixed ", 0) == 0; });
    for (std::size_t i = 0; i < y.q.size(); ++i) {
      const bool at_low = y.q[i] <= range.min, at_high = y.q[i] >= range.max;
      low += at_low, high += at_high;
      const std::int64_t o = observed.integer(static_cast<std::int64_t>(i));
      const bool dump_at_end = o <= range.min || o >= range.max;
      a.clamped_only_reference += (at_low || at_high) && !dump_at_end;
      a.clamped_only_dump += dump_at_end && !(at_low || at_high);
      const Events ev = y.events.empty() ? Events{0} : y.events[i];
      a.inexact_float += (ev & event::inexact_float) != 0;
      a.preshift_overflow += (ev & event::wrapped) && fixed_point;
      if ((ev & event::wrapped) && a.first_wrap.empty()) a.first_wrap = stored_index(observed, static_cast<std::int64_t>(i));
      if ((ev & (event::saturated | event::pair_saturated)) && a.first_saturation.empty()) a.first_saturation = stored_index(observed, static_cast<std::int64_t>(i));
    }
    a.clamped_low = rounded(static_cast<double>(low) / static_cast<double>(y.q.size()));
    a.clamped_high = rounded(static_cast<double>(high) / static_cast<double>(y.q.size()));
  }
  const auto g = accumulation_geometry(e.layer);
  if (!g || cell->rule != "accumulate" || is_float(e.layer.in("x").dtype)) {
    a.danger = "none";
    return;
  }
  a.accumulates = true;
  const AccumulationInput in = read_operands(e.layer, *g);
  const std::int64_t channels = g->groups * g->out_channels, P = g->positions();
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  const RequantizeContext context = requantize_context(e.layer, *cell, in, channels);
  const auto bias = integer_biases(cell->stages, context, channels, e.layer.place);
  const Tensor& x = e.layer.in("x");
  a.channels.resize(static_cast<std::size_t>(channels));
  std::vector<bool> seen(a.channels.size());
  for (std::int64_t i = 0; i < g->batch * channels * P; ++i) {
    const auto o = static_cast<std::size_t>(i / P % channels);
    std::int64_t sum = bias.empty() ? 0 : bias[o], lo = sum, hi = sum;
    for_each_product(*g, operands, i, [&](auto, auto, std::int64_t xv, std::int64_t w, bool) { sum += xv * w, lo = std::min(lo, sum), hi = std::max(hi, sum); });
    ChannelAudit& c = a.channels[o];
    if (!seen[o]) c.min = c.max = sum, c.partial_min = lo, c.partial_max = hi, seen[o] = true;
    c.min = std::min(c.min, sum), c.max = std::max(c.max, sum), c.partial_min = std::min(c.partial_min, lo), c.partial_max = std::max(c.partial_max, hi);
  }
  const auto bounds = worst_case(*g, in, x.q.qmin, x.q.qmax, bias);
  std::int64_t lo = 0, hi = 0, worst_lo = 0, worst_hi = 0;
  for (std::size_t o = 0; o < a.channels.size(); ++o) {
    ChannelAudit& c = a.channels[o];
    c.worst_min = bounds[o].min, c.worst_max = bounds[o].max;
    c.worst_bits = std::max(bits_of(c.worst_min), bits_of(c.worst_max));
    lo = std::min(lo, c.partial_min), hi = std::max(hi, c.partial_max);
    worst_lo = std::min(worst_lo, c.worst_min), worst_hi = std::max(worst_hi, c.worst_max);
    a.smallest_safe_bits = std::max(a.smallest_safe_bits, c.worst_bits);
  }
  std::vector<int> widths{16, 24, 32};
  widths.insert(widths.end(), options.widths.begin(), options.widths.end());
  if (options.acc_bits) widths.push_back(options.acc_bits);
  std::sort(widths.begin(), widths.end());
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  for (const int w : widths) a.headroom.push_back({w, rounded(w - bits_needed(lo, hi)), rounded(w - bits_needed(worst_lo, worst_hi))});

  const Variant plain = without_vnni(*chosen.profile, *op, e.layer);
  if (plain.cell) {
    audit_pairs(plain.layer, *g, in, *plain.cell, x.q.qmin, x.q.qmax, context, a);
    const Accumulated under = accumulate_layer(plain.layer, *plain.cell, *g, in);
    for (const Events ev : under.events) a.pairs.observed += (ev & event::pair_saturated) != 0;
    if (options.pairs) audit_cost(e, *op, plain.layer, *plain.cell, plain.label, a);
  }
  bool wraps = report.events.wrapped > 0, saturates = report.events.saturated > 0 || report.events.pair_saturated > 0;
  if (options.acc_bits) {  // a chosen register is in danger where it overflows, whatever the runtime's own does
    Cell narrow = *cell;
    narrow.with["register"] = std::to_string(options.acc_bits) + "-" + options.overflow;
    audit_cost(e, *op, e.layer, narrow, narrow.with["register"], a);
    for (const Events ev : accumulate_layer(e.layer, narrow, *g, in).events) wraps |= (ev & event::wrapped) != 0, saturates |= (ev & event::saturated) != 0;
  }
  if (!options.witness.empty()) write_witness(options, dump, e, *op, *cell, *chosen.profile, *g, in, x.q.qmin, x.q.qmax, bounds, a);
  const bool own_pairs = cell->get("pairs", "none") == "int16";
  const bool possible = a.smallest_safe_bits > (options.acc_bits ? std::min(options.acc_bits, 32) : 32) || (own_pairs && a.pairs.possible > 0);
  a.danger = wraps ? "wrap" : saturates ? "saturate" : possible ? "possible" : "none";
  report.pairs = a.pairs;
}

/// The network under the register model, from its inputs on: what reaches each layer's output.
void chain_costs(const AuditOptions& options, const Dump& dump, std::vector<LayerAudit*>& audits, const std::vector<const LayerEntry*>& entries) {
  const auto models = [&]() {
    std::vector<std::string> m;
    for (const auto* a : audits)
      for (const auto& c : a->costs)
        if (const std::string kind = c.model.find('@') == std::string::npos && c.model.find("-") != std::string::npos && std::isdigit(static_cast<unsigned char>(c.model[0])) ? c.model : "pairs"; std::find(m.begin(), m.end(), kind) == m.end()) m.push_back(kind);
    return m;
  }();
  for (const auto& model : models) {
    std::map<std::string, Tensor> own;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const LayerEntry& entry = *entries[i];
      const ChosenProfile chosen = choose_profile(dump, entry, options.verify.profile);
      const Operator* op = find_operator(entry.op);
      if (!obstacle(entry, chosen, op).empty()) continue;
      Cost* mine = nullptr;
      for (auto& c : audits[i]->costs)
        if (c.model == model || (model == "pairs" && !std::isdigit(static_cast<unsigned char>(c.model[0])))) mine = &c;
      const bool fed = std::any_of(entry.inputs.begin(), entry.inputs.end(), [&](const auto& p) { return own.count(p.second) > 0; });
      if (!fed && (!mine || mine->changed == 0)) continue;
      Layer layer = bind_layer(dump, entry, chosen.isa);
      const Cell* cell = cell_for(*chosen.profile, *op, layer);
      if (!cell) continue;
      for (auto& [port, t] : layer.inputs)
        if (const auto it = own.find(entry.inputs.at(port)); it != own.end() && it->second.shape == t.shape) t = it->second;
      Cell under = *cell;
      if (mine && model != "pairs") under.with["register"] = model;
      Variant v;
      if (mine && model == "pairs") {
        v = without_vnni(*chosen.profile, *op, layer);
        if (v.cell) under = *v.cell;
      }
      const Result r = op->run(layer, under);
      for (const auto& [port, c] : r.outputs) {
        if (!layer.has_out(port)) continue;
        const Tensor& t = layer.out(port);
        const Comparison comparison = compare(c, t);
        if (mine && port == "y") mine->chained_changed = comparison.mismatches, mine->chained_max_lsb = comparison.max_lsb;
        else if (port == "y" && fed) {
          Cost inherited;
          inherited.model = model;
          inherited.elements = comparison.elements;
          inherited.chained_changed = comparison.mismatches;
          inherited.chained_max_lsb = comparison.max_lsb;
          audits[i]->costs.push_back(inherited);
        }
        if (comparison.mismatches == 0) continue;
        Tensor next = is_float(t.dtype) ? Tensor::of_floats(t.name, t.shape, c.f) : Tensor::of_integers(t.name, t.dtype, t.shape, t.q, c.q);
        next.memory_layout = t.memory_layout;
        next.stored_axes = t.stored_axes;
        own.insert_or_assign(entry.outputs.at(port), std::move(next));
      }
    }
  }
}

}  // namespace

Audit audit(const AuditOptions& options) {
  Audit result;
  VerifyOptions verify = options.verify;
  verify.forms = {"integer"};
  verify.causes = false;
  result.report = verify_dumps(verify);
  std::vector<Dump> dumps;
  for (const auto& path : verify.dumps) dumps.push_back(Dump::open(path));
  std::vector<std::pair<const Dump*, const LayerEntry*>> work;
  for (const auto& d : dumps)
    for (const auto& e : d.layers())
      if (verify.layer_glob.empty() || glob_matches(verify.layer_glob, e.name)) work.emplace_back(&d, &e);
  ensure(work.size() == result.report.layers.size(), "an audit saw other layers than the verification");
  result.layers.resize(work.size());
  std::vector<std::exception_ptr> failed(work.size());
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < work.size(); i = next++) try {
        result.layers[i].layer = i;
        audit_layer(options, *work[i].first, *work[i].second, result.report.layers[i], result.layers[i]);
      } catch (...) {
        failed[i] = std::current_exception();
      }
  };
  {
    std::vector<std::jthread> pool;
    const unsigned threads = verify.jobs ? verify.jobs : std::max(1u, std::thread::hardware_concurrency());
    for (unsigned t = 1; t < threads; ++t) pool.emplace_back(run);
    run();
  }
  for (const auto& f : failed)
    if (f) std::rethrow_exception(f);
  if (options.acc_bits || options.pairs)
    for (const auto& d : dumps) {
      std::vector<LayerAudit*> audits;
      std::vector<const LayerEntry*> entries;
      for (std::size_t i = 0; i < work.size(); ++i)
        if (work[i].first == &d) audits.push_back(&result.layers[i]), entries.push_back(work[i].second);
      chain_costs(options, d, audits, entries);
    }
  const auto reaches = [&](const std::string& danger) {
    static const std::vector<std::string> order{"none", "possible", "saturate", "wrap"};
    const auto rank = [&](const std::string& d) { return std::find(order.begin(), order.end(), d.empty() ? "none" : d) - order.begin(); };
    return rank(danger) >= rank(options.fail_on);
  };
  const bool fails = !options.fail_on.empty() && std::any_of(result.layers.begin(), result.layers.end(), [&](const LayerAudit& a) { return reaches(a.danger); });
  const bool any = std::any_of(result.layers.begin(), result.layers.end(), [](const LayerAudit& a) { return !a.danger.empty(); });
  result.status = !any ? 5 : fails ? 1 : 0;
  return result;
}

}  // namespace lastbit
