// audit_cost.cpp: what another register model changes, isolated and chained. See audit_parts.hpp.
#include <algorithm>
#include <cmath>
#include <map>

#include "verifier/audit_parts.hpp"
#include "verifier/handed_on.hpp"

namespace lastbit {
namespace {

/// With the qparams that were chosen at run time, where they were.
Tensor own_tensor(const Computed& c, const Tensor& like) { return as_tensor(c, like, c.chosen ? *c.chosen : like.q); }

struct Difference {
  std::vector<std::int64_t> elements;
  std::int64_t max_lsb = 0, sum_lsb = 0;
  double max_error = 0;                // in real units
};

/// LSB of integers; for floats units in the last place of `from`.
Difference difference(const Tensor& from, const Tensor& to) {
  Difference d;
  Computed expected;
  if (is_float(from.dtype)) expected.f = from.f32();
  else expected.q = from.i32();
  for (const auto i : compare(expected, to).differing) {
    const std::int64_t lsb = lsb_error(expected, to, i);
    d.elements.push_back(i);
    d.max_lsb = std::max(d.max_lsb, std::abs(lsb)), d.sum_lsb += lsb;
    const double unit = is_float(from.dtype) || !from.q.quantized() ? 1.0 : from.scale_at(i);
    d.max_error = std::max(d.max_error, std::fabs(to.value(i) - from.value(i)) * unit);
  }
  return d;
}

Cost* cost_of(LayerAudit& a, const std::string& kind) {
  for (auto& c : a.costs)
    if ((c.model.find('-') != std::string::npos && std::isdigit(static_cast<unsigned char>(c.model[0])) ? c.model : "pairs") == kind) return &c;
  return nullptr;
}

std::vector<std::string> kinds_of(const AuditOptions& options) {
  std::vector<std::string> all;
  for (const int bits : options.acc) all.push_back(std::to_string(bits) + "-" + options.overflow);
  if (options.pairs) all.push_back("pairs");
  return all;
}

/// One network under one model: tensors that differ from the dump's, in the profile's own arithmetic and in the model's.
struct Network {
  const AuditOptions& options;
  const Dump& dump;
  const std::string& kind;
  std::map<std::string, Tensor> own, under;

  bool fed(const LayerEntry& entry, const std::map<std::string, Tensor>& by) const {
    return std::any_of(entry.inputs.begin(), entry.inputs.end(), [&](const auto& p) { return by.count(p.second) > 0; });
  }
  static Layer with(Layer layer, const LayerEntry& entry, const std::map<std::string, Tensor>& tensors) {
    for (auto& [port, t] : layer.inputs)
      if (const auto it = tensors.find(entry.inputs.at(port)); it != tensors.end()) t = handed_on(it->second, t);
    return layer;
  }
  static void keep(std::map<std::string, Tensor>& tensors, const std::string& name, Tensor made, const Tensor& dumped) {
    if (difference(dumped, made).elements.empty()) tensors.erase(name);
    else tensors.insert_or_assign(name, std::move(made));
  }

  void layer(const LayerEntry& entry, LayerAudit& a, const LayerReport& report, std::vector<NetworkCost>& network, bool last) {
    const ChosenProfile chosen = choose_profile(dump, entry, options.verify.profile);
    const Operator* op = find_operator(entry.op);
    if (!obstacle(entry, chosen, op).empty()) return;
    Cost* mine = cost_of(a, kind);
    const bool changes = mine && mine->changed > 0, differs = report.mismatches > 0;
    if (!fed(entry, own) && !fed(entry, under) && !changes && !differs && !last) return;
    const Layer bound = bind_layer(dump, entry, chosen.isa);
    const Cell* cell = cell_for(*chosen.profile, *op, bound);
    if (!cell) return;
    Layer layer_under = with(bound, entry, under);
    Cell cell_under = *cell;
    if (mine && kind != "pairs") cell_under.with["register"] = kind;
    std::string model = kind;
    if (kind == "pairs") {
      const Variant v = without_vnni(*chosen.profile, *op, layer_under, options.pairs_isa);
      if (mine && v.cell) layer_under = v.layer, cell_under = *v.cell;
      model = v.label;
    }
    const Result u = op->run(layer_under, cell_under), o = op->run(with(bound, entry, own), *cell);
    const std::string counted = counted_output(u, bound);
    for (const auto& [port, computed] : u.outputs) {
      if (!bound.has_out(port)) continue;
      const Tensor& dumped = bound.out(port);
      Tensor mine_under = own_tensor(computed, dumped), mine_own = own_tensor(o.outputs.at(port), dumped);
      if (port == counted) {
        const Difference d = difference(mine_own, mine_under);
        if (!mine && !d.elements.empty()) {
          Cost inherited;
          inherited.model = model;
          inherited.output = port;
          inherited.floats = is_float(dumped.dtype);
          inherited.elements = dumped.size();
          a.costs.push_back(inherited);
          mine = &a.costs.back();
        }
        if (mine) mine->chained_changed = static_cast<std::int64_t>(d.elements.size()), mine->chained_max_lsb = d.max_lsb, mine->chained_max_error = d.max_error;
        if (last) network.push_back({report.dump, report.name, port, model, dumped.size(), static_cast<std::int64_t>(d.elements.size()), d.max_lsb, d.max_error, is_float(dumped.dtype)});
      }
      keep(own, entry.outputs.at(port), std::move(mine_own), dumped);
      keep(under, entry.outputs.at(port), std::move(mine_under), dumped);
    }
  }
};

}  // namespace

Cost isolated_cost(const Audited& l, const Layer& layer, const Cell& cell, const std::string& model) {
  Cost c;
  c.model = model;
  c.output = counted_output(l.own.result, l.own.layer);
  if (c.output.empty()) return c;
  const Result other = l.op.run(layer, cell);
  const Tensor& dumped = l.own.layer.out(c.output);
  const Tensor from = own_tensor(l.own.result.outputs.at(c.output), dumped), to = own_tensor(other.outputs.at(c.output), dumped);
  c.floats = is_float(dumped.dtype);
  c.elements = dumped.size();
  const Difference d = difference(from, to);
  c.changed = static_cast<std::int64_t>(d.elements.size());
  c.max_lsb = d.max_lsb, c.max_error = d.max_error;
  c.mean_lsb = rounded4(c.elements ? static_cast<double>(d.sum_lsb) / static_cast<double>(c.elements) : 0);
  for (const auto i : d.elements) c.which.push_back({stored_index(dumped, i), from.value(i), to.value(i)});
  const auto& events = other.outputs.at(c.output).events;
  for (std::size_t i = 0; i < events.size(); ++i)
    for (const auto& [bit, what] : {std::pair{event::wrapped, &c.wrapped}, {event::saturated, &c.saturated}, {event::pair_saturated, &c.pair_saturated}})
      if ((events[i] & bit) && what->count++ == 0) what->first = stored_index(dumped, static_cast<std::int64_t>(i));
  return c;
}

void chain_costs(const AuditOptions& options, const Dump& dump, const std::vector<const LayerEntry*>& entries, const std::vector<LayerAudit*>& audits, const std::vector<const LayerReport*>& reports, std::vector<NetworkCost>& network) {
  for (const auto& kind : kinds_of(options)) {
    Network n{options, dump, kind, {}, {}};
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool last = std::none_of(dump.layers().begin(), dump.layers().end(), [&](const LayerEntry& other) {
        return std::any_of(other.inputs.begin(), other.inputs.end(), [&](const auto& in) {
          return std::any_of(entries[i]->outputs.begin(), entries[i]->outputs.end(), [&](const auto& out) { return out.second == in.second; });
        });
      });
      n.layer(*entries[i], *audits[i], *reports[i], network, last && dump.layers().size() > 1);
    }
  }
}

}  // namespace lastbit
