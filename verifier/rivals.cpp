// rivals.cpp: see rivals.hpp.
#include "verifier/rivals.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "verifier/evaluate.hpp"
#include "verifier/other_isa.hpp"

namespace lastbit {
namespace {

/// All that a cell's conditions can ask: facts, the producer, integer attributes.
std::string key_of(const Layer& layer, const Operator& op) {
  std::string key = op.name;
  for (const auto& fact : layer.facts) key += '\n' + fact;
  for (const auto& [name, value] : layer.producer.fields) key += '\n' + name + '=' + value;
  for (const auto& [name, value] : layer.attributes.values)
    if (const auto* v = std::get_if<std::int64_t>(&value)) key += '\n' + name + '=' + std::to_string(*v);
  std::set<std::string> on_amx{"amx"};  // the one instruction set where a layer's size is a fact
  if (op.facts) op.facts(layer, on_amx);
  for (const auto& fact : on_amx) key += '\n' + fact;
  return key;
}

std::vector<RivalCell> find_cells(const Layer& layer, const Operator& op) {
  std::vector<RivalCell> all;
  std::map<std::string, Layer> by_isa;  // facts of a variant, without tensors
  for (const auto& p : all_profiles()) {
    std::vector<std::string> isas = p.isas;
    if (isas.empty()) isas.push_back(layer.producer.at("isa"));
    for (const auto& isa : isas) {
      auto at = by_isa.find(isa);
      if (at == by_isa.end()) {
        Layer as = as_rival(layer, op, {"", isa, &p, {}, {}});
        as.inputs.clear();
        as.outputs.clear();
        at = by_isa.emplace(isa, std::move(as)).first;
      }
      const Cell* cell = cell_for(p, op, at->second);
      if (!cell) continue;
      const std::string label = p.isas.empty() ? p.name : profile_label(p, isa);  // no variants: the instruction set changes nothing
      const auto twin = std::find_if(all.begin(), all.end(), [&](const RivalCell& r) { return same_rule(r.cell, *cell); });
      if (twin != all.end()) twin->alike.push_back(label);
      else all.push_back({label, isa, &p, *cell, {}});
    }
  }
  return all;
}

}  // namespace

Layer as_rival(const Layer& layer, const Operator& op, const RivalCell& rival) {
  Layer as = layer;
  set_producer(as, &op, rival.isa.empty() ? layer.producer : on_isa(layer.producer, rival.isa));
  return as;
}

std::shared_ptr<const std::vector<RivalCell>> rival_cells(const Layer& layer, const Operator& op) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const std::vector<RivalCell>>> known;
  const std::string key = key_of(layer, op);
  {
    const std::lock_guard lock(mutex);
    if (const auto it = known.find(key); it != known.end()) return it->second;
  }
  auto cells = std::make_shared<const std::vector<RivalCell>>(find_cells(layer, op));
  const std::lock_guard lock(mutex);
  return known.emplace(key, std::move(cells)).first->second;
}

}  // namespace lastbit
