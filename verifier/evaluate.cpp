// evaluate.cpp: see evaluate.hpp.
#include "verifier/evaluate.hpp"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <sstream>

#include "lib/error.hpp"
#include "lib/profile/registry.hpp"
#include "verifier/other_isa.hpp"
#include "verifier/rivals.hpp"
#include "verifier/sums.hpp"

namespace lastbit {
namespace {

/// Profiles read from files, kept for the run.
const Profile& profile_from_file(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, Profile> read;
  const std::lock_guard lock(mutex);
  if (const auto it = read.find(path); it != read.end()) return it->second;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path, "found no file that can be read, expected a profile in JSON");
  std::stringstream text;
  text << file.rdbuf();
  return read.emplace(path, profile_from_json(text.str(), path)).first->second;
}

bool is_file_name(const std::string& s) { return s.size() > 5 && s.compare(s.size() - 5, 5, ".json") == 0; }

}  // namespace

std::string profile_label(const Profile& p, const std::string& isa) {
  return p.name + (isa.empty() || (!p.isas.empty() && isa == p.isas[0]) ? "" : "@" + isa);
}

ChosenProfile named_profile(const std::string& option) {
  ChosenProfile c;
  if (is_file_name(option)) c.profile = &profile_from_file(option);
  else {
    const auto choice = ProfileChoice::parse(option);
    c.profile = &find_profile(choice.name);
    c.isa = choice.isa;
  }
  c.label = profile_label(*c.profile, c.isa);
  return c;
}

ChosenProfile choose_profile(const Dump& dump, const LayerEntry& entry, const std::string& option) {
  ChosenProfile c;
  const Layer& as = dump.producer_alone();
  if (!option.empty()) c = named_profile(option);
  else if (const std::string named = !entry.profile.empty() ? entry.profile : dump.profile(); !named.empty()) {
    const auto choice = ProfileChoice::parse(named);
    const Profile* other = replacement_of(choice.name, as);
    c.profile = other ? other : &find_profile(choice.name);
    c.isa = choice.isa;
  } else {
    for (const auto& p : all_profiles())
      if (!p.for_producer.empty() && std::all_of(p.for_producer.begin(), p.for_producer.end(), [&](const std::string& f) { return as.is(f); })) {
        const Profile* other = replacement_of(p.name, as);
        c.profile = other ? other : &p;
        break;
      }
  }
  if (c.profile) c.label = profile_label(*c.profile, c.isa.empty() ? dump.producer().at("isa") : c.isa);
  return c;
}

std::string obstacle(const LayerEntry& entry, const ChosenProfile& chosen, const Operator* op) {
  if (!op) return "the operator \"" + entry.op + "\" is not known";
  if (!chosen.profile) return "the dump names no profile, and its producer is not one that a profile is for; --profile NAME says which";
  if (entry.attributes.has("not_judged")) return "the dump says that it cannot be judged: " + entry.attributes.text("not_judged", "");
  return "";
}

void set_producer(Layer& layer, const Operator* op, Producer producer) {
  layer.producer = std::move(producer);
  layer.facts = common_facts(layer);
  if (op && op->facts) op->facts(layer, layer.facts);
}

Layer bind_layer(const Dump& dump, const LayerEntry& entry, const std::string& isa, const Producer* as) {
  Layer layer = dump.bind(entry, isa);
  const Operator* op = find_operator(entry.op);
  if (as) set_producer(layer, op, *as);
  if (op) check_declared(layer, *op);
  if (op && op->check) op->check(layer);
  return layer;
}

std::int64_t Evaluated::mismatches() const {
  std::int64_t n = 0;
  for (const auto& [port, c] : compared) n += c.mismatches;
  return n;
}

Evaluated evaluate(Layer layer, const Operator& op, const Cell& cell) {
  Evaluated e{std::move(layer), {}, {}, {}};
  e.result = op.run(e.layer, cell);
  for (const auto& [port, computed] : e.result.outputs) {
    if (!e.layer.has_out(port)) continue;
    const Tensor& observed = e.layer.out(port);
    const auto [fits, other] = is_float(observed.dtype) ? std::pair(computed.f.size(), computed.q.size()) : std::pair(computed.q.size(), computed.f.size());
    const std::string place = e.layer.place + ": output \"" + port + "\"";
    if (fits == 0 && other > 0) throw Error(place, "found " + std::string(name(observed.dtype)) + ", expected " + (is_float(observed.dtype) ? "integers" : "floats"));
    if (static_cast<std::int64_t>(fits) != observed.size()) throw Error(place, "found the shape " + to_string(observed.shape) + ", expected " + to_string(computed.shape));
    e.compared.emplace(port, compare(computed, observed));
  }
  for (const auto& [port, tensor] : e.layer.outputs)
    if (!e.compared.count(port)) e.not_compared.push_back(port);
  return e;
}

std::optional<Geometry> accumulation_geometry(const Layer& layer) {
  const bool conv = layer.op.rfind("conv", 0) == 0;
  if (!conv && layer.op.rfind("linear", 0) != 0) return std::nullopt;
  if (is_float(layer.in("weight").dtype) || layer.op == "linear_weight_only") return std::nullopt;
  if (!conv) return linear_geometry(layer);
  for (const int d : {1, 2, 3})
    if (layer.op.find(std::to_string(d) + "d") != std::string::npos) return conv_geometry(layer, d, layer.op.find("transpose") != std::string::npos);
  return std::nullopt;
}

double operations(const Layer& layer) {
  if (layer.op == "matmul") {
    const Tensor& a = layer.in("a");
    return layer.has_out("y") && a.rank() > 0 ? 2.0 * static_cast<double>(layer.out("y").size()) * static_cast<double>(a.shape.back()) : 0;
  }
  const auto g = accumulation_geometry(layer);
  return g ? 2.0 * static_cast<double>(g->batch * g->groups * g->out_channels) * static_cast<double>(g->positions()) * static_cast<double>(g->terms()) : 0;
}

std::optional<AccumulatorBounds> accumulator_bounds(const Layer& layer, const Operator& op, const Cell& cell) {
  const auto sums = sums_of(layer, op, cell);
  if (!sums) return std::nullopt;
  const auto bounds = worst_case(*sums);
  AccumulatorBounds all{bounds[0].min.value, bounds[0].max.value};
  for (const auto& b : bounds) all = {std::min(all.min, b.min.value), std::max(all.max, b.max.value)};
  return all;
}

const LayerEntry& find_layer(const Dump& dump, const std::string& name) {
  std::string known;
  for (const auto& entry : dump.layers()) {
    if (entry.name == name) return entry;
    if (known.size() < 200) known += (known.empty() ? "" : ", ") + entry.name;
  }
  throw Error(dump.name(), "found no layer \"" + name + "\", expected one of " + known);
}

std::vector<Rival> rivals(const Layer& layer, const Operator& op) {
  std::vector<Rival> all;
  for (const auto& p : all_profiles()) {
    std::vector<std::string> isas = p.isas;
    if (isas.empty()) isas.push_back(layer.producer.at("isa"));
    for (const auto& isa : isas) {
      Layer as = layer;
      set_producer(as, &op, isa.empty() ? layer.producer : on_isa(layer.producer, isa));
      const Cell* cell = cell_for(p, op, as);
      if (!cell) continue;
      const std::string label = p.isas.empty() ? p.name : profile_label(p, isa);  // no variants: the instruction set changes nothing
      const auto twin = std::find_if(all.begin(), all.end(), [&](const Rival& r) { return same_rule(r.cell, *cell); });
      if (twin != all.end()) twin->alike.push_back(label);
      else all.push_back({label, &p, *cell, std::move(as), {}});
    }
  }
  return all;
}

bool glob_matches(const std::string& glob, const std::string& text) {
  std::size_t g = 0, t = 0, star = std::string::npos, mark = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') star = g++, mark = t;
    else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) ++g, ++t;
    else if (star != std::string::npos) g = star + 1, t = ++mark;
    else return false;
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace lastbit
