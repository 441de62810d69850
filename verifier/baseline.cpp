// baseline.cpp: see baseline.hpp.
#include "verifier/baseline.hpp"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <filesystem>
#include <set>
#include <tuple>

#include "reports/json_place.hpp"

namespace lastbit {
namespace {

using At = reading::JsonPlace;

std::string digest(const void* bytes, std::size_t size) {
  static const boost::uuids::name_generator_sha1 generate{boost::uuids::uuid{}};
  return boost::uuids::to_string(generate(bytes, size));
}

std::string contents(const Tensor& t) {
  std::string parameters = std::string(name(t.dtype)) + to_string(t.shape) + " axis " + std::to_string(t.q.axis) + " group " + std::to_string(t.q.group_size);
  for (const double v : t.q.scale) parameters += " " + words::shortest(v);
  parameters += " /";
  for (const double v : t.q.zero_point) parameters += " " + words::shortest(v);
  return parameters + " " + digest(t.data, static_cast<std::size_t>(t.size()) * static_cast<std::size_t>(stored_bytes(t.dtype)));
}

std::map<std::string, std::string> strings(const At& at) {
  if (!at.json.is_object()) at.refuse("an object of strings");
  std::map<std::string, std::string> all;
  for (const auto& [key, value] : at.json.items()) all[key] = at.inside(value, key).text();
  return all;
}

LayerRecord layer(const At& at) {
  at.only({"name", "op", "verdict", "elements", "mismatches", "max_lsb", "unexplained", "causes", "inputs", "outputs", "reason", "profile"});
  LayerRecord r{at["name"].text(), at["op"].text(), at["verdict"].text(), at["elements"].counted(), at["mismatches"].counted(), at["max_lsb"].counted(),
                at["unexplained"].counted(), {}, at["inputs"].text(), at["outputs"].text(), at["reason"].text(), at.has("profile") ? at["profile"].text() : std::string()};
  const At causes = at["causes"];
  if (!causes.json.is_object()) causes.refuse("an object of counts");
  for (const auto& [key, value] : causes.json.items()) r.causes[key] = causes.inside(value, key).counted();
  return r;
}

DumpRecord dump(const At& at) {
  at.only({"dump", "profile", "producer", "layers"});
  DumpRecord d{at["dump"].text(), at["profile"].text(), strings(at["producer"]), at["layers"].list(layer)};
  std::set<std::string> names;
  for (const LayerRecord& l : d.layers)
    if (!names.insert(l.name).second) at["layers"].refuse("one record a layer, not two of " + l.name);
  return d;
}

std::string last_folder(const std::string& path) {
  std::filesystem::path p = std::filesystem::path(path).lexically_normal();
  if (p.filename() == "manifest.json" || p.filename().empty()) p = p.parent_path();
  return p.filename().string();
}

auto known(const LayerRecord& r) { return std::tie(r.op, r.verdict, r.elements, r.mismatches, r.max_lsb, r.unexplained, r.causes, r.profile); }

}  // namespace

LayerFacts facts_of(const Dump& dump, const LayerEntry& entry) {
  LayerFacts facts;
  std::string inputs, outputs;
  for (const auto& [port, tensor] : entry.inputs) inputs += port + " " + contents(dump.load(tensor)) + "\n";
  std::set<double> values;
  for (const auto& [port, tensor] : entry.outputs) {
    const Tensor t = dump.load(tensor);
    outputs += port + " " + contents(t) + "\n";
    for (std::int64_t i = 0; i < t.size() && values.size() < 65536; ++i)
      if (const double v = t.value(i); v == v) values.insert(v);
  }
  facts.inputs = digest(inputs.data(), inputs.size());
  facts.outputs = digest(outputs.data(), outputs.size());
  facts.distinct = static_cast<std::int64_t>(values.size());
  return facts;
}

Baseline baseline_from_json(const std::string& text, const std::string& place) {
  const reading::Json json = reading::json_from(text, place);
  const At root{json, place, ""};
  root.only({"lastbit_baseline", "dumps"});
  if (root["lastbit_baseline"].integer() != 1) root["lastbit_baseline"].refuse("1");
  Baseline baseline{root["dumps"].list(dump)};
  std::set<std::string> names;
  for (const DumpRecord& d : baseline.dumps)
    if (!names.insert(d.dump).second) root["dumps"].refuse("one record a dump, not two of " + d.dump);
  return baseline;
}

std::string to_json(const Baseline& baseline) {
  nlohmann::ordered_json j{{"lastbit_baseline", 1}, {"dumps", nlohmann::ordered_json::array()}};
  for (const DumpRecord& d : baseline.dumps) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const LayerRecord& r : d.layers) {
      layers.push_back({{"name", r.name}, {"op", r.op}, {"verdict", r.verdict}, {"elements", r.elements}, {"mismatches", r.mismatches}, {"max_lsb", r.max_lsb},
                        {"unexplained", r.unexplained}, {"causes", r.causes}, {"inputs", r.inputs}, {"outputs", r.outputs}, {"reason", r.reason}});
      if (!r.profile.empty()) layers.back()["profile"] = r.profile;
    }
    j["dumps"].push_back({{"dump", d.dump}, {"profile", d.profile}, {"producer", d.producer}, {"layers", layers}});
  }
  return j.dump(1) + "\n";
}

const DumpRecord* record_of(const Baseline& baseline, const std::string& dump, bool only_dump) {
  std::vector<const DumpRecord*> alike;
  for (const DumpRecord& d : baseline.dumps) {
    if (d.dump == dump) return &d;
    if (last_folder(d.dump) == last_folder(dump)) alike.push_back(&d);
  }
  if (alike.size() == 1) return alike[0];
  return alike.empty() && only_dump && baseline.dumps.size() == 1 ? &baseline.dumps[0] : nullptr;
}

LayerRecord record(const LayerReport& l, const LayerFacts& facts, const std::string& reason) {
  LayerRecord r{l.name, l.op, std::string(name(l.verdict)), l.elements, l.mismatches, l.max_lsb, l.unexplained, {}, facts.inputs, facts.outputs, reason, ""};
  for (const CauseFound& c : l.causes) r.causes[c.name] = c.explains;
  return r;
}

Baseline updated(Baseline baseline, std::vector<DumpRecord> fresh, const std::function<bool(const std::string&)>& keep) {
  for (DumpRecord& d : fresh) {
    const DumpRecord* old = record_of(baseline, d.dump, fresh.size() == 1);
    if (!old) {
      baseline.dumps.push_back(std::move(d));
      continue;
    }
    for (LayerRecord& r : d.layers)
      for (const LayerRecord& before : old->layers)
        if (before.name == r.name && known(before) == known(r)) r.reason = before.reason;
    for (const LayerRecord& before : old->layers)
      if (keep(before.name)) d.layers.push_back(before);
    baseline.dumps[static_cast<std::size_t>(old - baseline.dumps.data())] = std::move(d);
  }
  return baseline;
}

}  // namespace lastbit
