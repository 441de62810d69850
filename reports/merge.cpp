// merge.cpp: a merge is a union over keys, so it is associative, commutative and idempotent. The command is kept only if all
// parts were made by the same one: otherwise nothing repeats the whole.
#include "reports/merge.hpp"

#include <map>
#include <set>
#include <tuple>

#include "lib/error.hpp"

namespace lastbit {
namespace {

// Everything that is in a layer, as text to compare.
std::string everything(const LayerReport& layer) {
  Report one;
  one.layers = {layer};
  return find_format("json").render(one, {});
}

std::string but_the_clock(LayerReport layer) {
  layer.timing.reset();
  return everything(layer);
}

/// Findings about layers first, in the network's order: the first line of a gate names a cause.
using FindingKey = std::tuple<bool, std::string, std::int64_t, std::string, std::string, std::string>;

void add_gate(const Report& part, std::map<FindingKey, GateFinding>& findings, std::set<std::string>& notes) {
  for (const GateFinding& f : part.gate->findings) {
    std::int64_t position = 0;
    for (const LayerReport& l : part.layers)
      if (l.dump == f.dump && l.name == f.layer) position = l.position;
    findings.emplace(FindingKey{f.layer.empty(), f.dump, position, f.layer, f.rule, f.sentence}, f);
  }
  notes.insert(part.gate->notes.begin(), part.gate->notes.end());
}

}  // namespace

Report merged(const std::vector<Part>& parts) {
  using Key = std::tuple<std::string, std::int64_t, std::string, std::string>;  // dump, position, name, result
  struct Kept {
    double ms;
    std::string text;
    const LayerReport* layer;
  };
  std::map<Key, Kept> layers;  // of one result with several clocks the fastest
  std::set<std::pair<std::string, std::map<std::string, std::string>>> dumps;
  std::map<FindingKey, GateFinding> findings;
  std::set<std::string> notes;
  if (parts.empty()) throw Error("merge", "found no report, expected at least one");
  Report whole;
  whole.version = parts[0].report.version;
  whole.command = parts[0].report.command;
  whole.chained = parts[0].report.chained;
  for (const auto& [report, place] : parts) {
    if (report.version != whole.version)
      throw Error(place, "found version " + report.version + ", expected " + whole.version + " as in " + parts[0].place);
    if (report.gate.has_value() != parts[0].report.gate.has_value())
      throw Error(place, std::string("found a report of ") + (report.gate ? "the gate" : "verify") + ", expected one of " + (report.gate ? "verify" : "the gate") + " as in " + parts[0].place);
    if (report.chained != whole.chained)
      throw Error(place, std::string("found a report made with") + (report.chained ? "" : "out") + " --chained, expected all the same");
    if (report.command != whole.command) whole.command.clear();
    for (std::size_t i = 0; i < report.dumps.size(); ++i) dumps.emplace(report.dumps[i], report.producers[i]);
    for (const LayerReport& layer : report.layers) {
      const Kept kept{layer.timing ? layer.timing->time_ms : 0, everything(layer), &layer};
      const auto [it, added] = layers.try_emplace(Key{layer.dump, layer.position, layer.name, but_the_clock(layer)}, kept);
      if (!added && std::tie(kept.ms, kept.text) < std::tie(it->second.ms, it->second.text)) it->second = kept;
    }
    if (report.gate) add_gate(report, findings, notes);
  }
  for (const auto& [dump, producer] : dumps) {
    whole.dumps.push_back(dump);
    whole.producers.push_back(producer);
  }
  for (const auto& [key, kept] : layers) whole.layers.push_back(*kept.layer);
  if (parts[0].report.gate) {
    whole.gate.emplace();
    for (const auto& [key, finding] : findings) whole.gate->findings.push_back(finding);
    whole.gate->notes = {notes.begin(), notes.end()};
  }
  return whole;
}

}  // namespace lastbit
