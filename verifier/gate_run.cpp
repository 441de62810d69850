// gate_run.cpp: see gate_run.hpp.
#include "verifier/gate_run.hpp"

#include <algorithm>
#include <set>

#include "lib/dump/dump.hpp"
#include "lib/error.hpp"
#include "lib/profile/profile.hpp"

namespace lastbit {
namespace {

// NAME@isa of the arithmetic that made a record, so that the command in the report repeats the difference. A profile that was read from a
// file has a name that the program does not know: then the dump chooses.
std::string profile_of(const std::string& profile, const DumpRecord& known) {
  if (profile.empty()) return "";
  const ProfileChoice choice = ProfileChoice::parse(profile);
  const auto& all = all_profiles();
  if (std::none_of(all.begin(), all.end(), [&](const Profile& p) { return p.name == choice.name; })) return "";
  const auto isa = known.producer.find("isa");
  return choice.name + (!choice.isa.empty() ? "@" + choice.isa : isa != known.producer.end() ? "@" + isa->second : "");
}

/// Layers that the record judged by profiles of their own, judged by them again where this dump has others.
void judge_by_their_own(const VerifyOptions& options, const DumpRecord& known, Report& report) {
  for (LayerReport& layer : report.layers)
    for (const LayerRecord& r : known.layers) {
      if (r.name != layer.name || r.profile == layer.profile) continue;
      VerifyOptions one = options;
      one.profile = profile_of(r.profile, known);
      one.layer_glob = layer.name;  // a name matches itself, whatever is in it
      one.progress = {};
      one.chained = false;          // alone it inherits nothing: what the whole run said stays
      if (one.profile.empty()) continue;
      for (LayerReport& again : verify_dumps(one).layers) {
        if (again.position != layer.position) continue;
        again.chained = layer.chained;
        layer = std::move(again);
      }
      break;
    }
}

}  // namespace

GateInput verify_for_gate(const VerifyOptions& options, const Baseline* baseline) {
  GateInput all;
  all.layer_glob = options.layer_glob;
  all.report.version = options.version;
  all.report.command = options.command;
  all.report.chained = options.chained;
  std::set<std::string> seen;
  for (const std::string& path : options.dumps) {
    VerifyOptions one = options;
    one.dumps = {path};
    const DumpRecord* known = baseline ? record_of(*baseline, path, options.dumps.size() == 1) : nullptr;
    if (known) {
      if (one.profile.empty()) one.profile = profile_of(known->profile, *known);
      one.as_producer = Producer{known->producer};
    }
    Report report = verify_dumps(one);
    if (known && one.profile.empty()) judge_by_their_own(one, *known, report);
    const Dump dump = Dump::open(path, one.profile.empty());
    if (!seen.insert(dump.name()).second) throw Error(dump.name(), "found the same dump twice, expected each once");
    for (LayerReport& layer : report.layers) {
      all.facts.push_back(facts_of(dump, dump.layers().at(static_cast<std::size_t>(layer.position))));
      all.report.layers.push_back(std::move(layer));
    }
    all.report.dumps.push_back(report.dumps.at(0));
    all.report.producers.push_back(report.producers.at(0));
  }
  return all;
}

std::vector<DumpRecord> records(const GateInput& in, const std::string& reason) {
  std::vector<DumpRecord> all;
  for (std::size_t d = 0; d < in.report.dumps.size(); ++d) {
    DumpRecord dump{in.report.dumps[d], "", in.report.producers[d], {}};
    std::set<std::string> profiles;
    for (std::size_t i = 0; i < in.report.layers.size(); ++i) {
      const LayerReport& layer = in.report.layers[i];
      if (layer.dump != dump.dump) continue;
      dump.layers.push_back(record(layer, in.facts[i], reason));
      if (!layer.profile.empty()) profiles.insert(layer.profile);
    }
    if (profiles.size() == 1) dump.profile = *profiles.begin();
    else
      for (std::size_t i = 0, l = 0; i < in.report.layers.size(); ++i)
        if (in.report.layers[i].dump == dump.dump) dump.layers[l++].profile = in.report.layers[i].profile;
    all.push_back(std::move(dump));
  }
  return all;
}

}  // namespace lastbit
