// merge.cpp: a merge is a union over keys, so it is associative, commutative and idempotent. The command is kept if all parts
// were made by the same one. Parts that `verify` made of other dumps with the same options are what `verify` makes of all the
// dumps. Otherwise nothing repeats the whole, and there is no command.
#include "reports/merge.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "lib/error.hpp"

namespace lastbit {
namespace {

// Everything that is in a layer, as text to compare. Explanations aside: a report has those of its first layers alone.
std::string everything(LayerReport layer) {
  for (WorstElement& e : layer.worst) e.explain.clear();
  Report one;
  one.layers = {std::move(layer)};
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

// The first layers of the whole are among the first of their parts, so what is explained in the whole has been explained.
void keep_first_explanations(Report& whole) {
  int left = layers_explained;
  for (LayerReport& layer : whole.layers) {
    if (layer.mismatches == 0 || layer.worst.empty()) continue;
    if (left-- <= 0) layer.worst.front().explain.clear();
  }
}

// What follows "verify DUMP..."; none if the command is another.
std::optional<std::vector<std::string>> options_of(const Report& part) {
  const auto& command = part.command;
  if (command.size() < 1 + part.dumps.size() || command[0] != "verify") return std::nullopt;
  const auto options = command.begin() + 1 + static_cast<std::ptrdiff_t>(part.dumps.size());
  if (!std::is_permutation(command.begin() + 1, options, part.dumps.begin())) return std::nullopt;
  return std::vector<std::string>(options, command.end());
}

std::vector<std::string> merged_command(const std::vector<Part>& parts, const Report& whole) {
  const auto all = [&](auto same) { return std::all_of(parts.begin(), parts.end(), [&](const Part& p) { return same(p.report); }); };
  if (all([&](const Report& r) { return r.command == parts[0].report.command; })) return parts[0].report.command;
  const auto options = options_of(parts[0].report);
  if (!options || !all([&](const Report& r) { return options_of(r) == options; })) return {};
  std::vector<std::string> command{"verify"};
  command.insert(command.end(), whole.dumps.begin(), whole.dumps.end());
  command.insert(command.end(), options->begin(), options->end());
  return command;
}

}  // namespace

Report merged(const std::vector<Part>& parts) {
  using Key = std::tuple<std::string, std::int64_t, std::string, std::string>;  // dump, position, name, result
  struct Kept {
    double ms;
    std::string text;
    const LayerReport* layer;
    std::string explain;
  };
  std::map<Key, Kept> layers;  // of one result with several clocks the fastest
  std::set<std::pair<std::string, std::map<std::string, std::string>>> dumps;
  std::map<FindingKey, GateFinding> findings;
  std::set<std::string> notes;
  if (parts.empty()) throw Error("merge", "found no report, expected at least one");
  Report whole;
  whole.version = parts[0].report.version;
  whole.chained = parts[0].report.chained;
  for (const auto& [report, place] : parts) {
    if (report.version != whole.version)
      throw Error(place, "found version " + report.version + ", expected " + whole.version + " as in " + parts[0].place);
    if (report.gate.has_value() != parts[0].report.gate.has_value())
      throw Error(place, std::string("found a report of ") + (report.gate ? "the gate" : "verify") + ", expected one of " + (report.gate ? "verify" : "the gate") + " as in " + parts[0].place);
    if (report.chained != whole.chained)
      throw Error(place, std::string("found a report made with") + (report.chained ? "" : "out") + " --chained, expected all the same");
    for (std::size_t i = 0; i < report.dumps.size(); ++i) dumps.emplace(report.dumps[i], report.producers[i]);
    for (const LayerReport& layer : report.layers) {
      Kept kept{layer.timing ? layer.timing->time_ms : 0, everything(layer), &layer, layer.worst.empty() ? "" : layer.worst.front().explain};
      const auto [it, added] = layers.try_emplace(Key{layer.dump, layer.position, layer.name, but_the_clock(layer)}, kept);
      if (added) continue;
      kept.explain = std::max(kept.explain, it->second.explain);
      if (std::tie(kept.ms, kept.text) < std::tie(it->second.ms, it->second.text)) it->second = kept;
      it->second.explain = kept.explain;
    }
    if (report.gate) add_gate(report, findings, notes);
  }
  for (const auto& [dump, producer] : dumps) {
    whole.dumps.push_back(dump);
    whole.producers.push_back(producer);
  }
  whole.command = merged_command(parts, whole);
  for (const auto& [key, kept] : layers) {
    whole.layers.push_back(*kept.layer);
    if (!kept.layer->worst.empty()) whole.layers.back().worst.front().explain = kept.explain;
  }
  keep_first_explanations(whole);
  if (parts[0].report.gate) {
    whole.gate.emplace();
    for (const auto& [key, finding] : findings) whole.gate->findings.push_back(finding);
    whole.gate->notes = {notes.begin(), notes.end()};
  }
  return whole;
}

}  // namespace lastbit
