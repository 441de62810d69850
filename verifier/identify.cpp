// identify.cpp: see identify.hpp.
#include "verifier/identify.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "verifier/parallel.hpp"

namespace lastbit {
namespace {

constexpr std::size_t deciding_kept = 8;

struct Score {
  std::int64_t elements = 0, mismatches = 0, not_checked = 0;
};

/// Every profile and variant on one layer, by label. Twins (the very same cell) are computed once.
std::map<std::string, Score> score(const Dump& dump, const LayerEntry& entry) {
  std::map<std::string, Score> scores;
  const Operator* op = find_operator(entry.op);
  if (!op || entry.attributes.has("not_judged")) return scores;
  const Layer layer = bind_layer(dump, entry, "");
  for (const auto& rival : rivals(layer, *op)) {
    Score s;
    try {
      const Evaluated e = evaluate(rival.layer, *op, rival.cell);
      for (const auto& [port, c] : e.compared) s.elements += c.elements, s.mismatches += c.mismatches;
    } catch (const Error&) {
      s.not_checked = 1;
    }
    scores[rival.label] = s;
    for (const auto& twin : rival.alike) scores[twin] = s;
  }
  return scores;
}

const Rival* rival_named(const std::vector<Rival>& all, const std::string& label) {
  for (const auto& r : all)
    if (r.label == label || std::find(r.alike.begin(), r.alike.end(), label) != r.alike.end()) return &r;
  return nullptr;
}

/// Elements on which two profiles disagree.
void decide(const Dump& dump, const LayerEntry& entry, const std::string& first, const std::string& second, std::vector<Identification::Deciding>& into) {
  const Operator* op = find_operator(entry.op);
  if (!op) return;
  const Layer layer = bind_layer(dump, entry, "");
  const auto all = rivals(layer, *op);
  const Rival *a = rival_named(all, first), *b = rival_named(all, second);
  if (!a || !b || a == b) return;
  try {
    const Evaluated ea = evaluate(a->layer, *op, a->cell), eb = evaluate(b->layer, *op, b->cell);
    for (const auto& [port, ca] : ea.result.outputs) {
      if (!eb.result.outputs.count(port) || !layer.has_out(port)) continue;
      const Computed& cb = eb.result.outputs.at(port);
      const Tensor& t = layer.out(port);
      for (std::int64_t i = 0; i < t.size() && into.size() < deciding_kept; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const bool floats = is_float(t.dtype);
        if (floats ? ca.f[at] == cb.f[at] || (ca.f[at] != ca.f[at] && cb.f[at] != cb.f[at]) : ca.q[at] == cb.q[at]) continue;
        const auto text = [&](const Computed& c) { return floats ? shortest(c.f[at]) : std::to_string(c.q[at]); };
        into.push_back({entry.name, port, stored_index(t, i), text(ca), text(cb), floats ? shortest(static_cast<float>(t.value(i))) : std::to_string(t.integer(i))});
      }
    }
  } catch (const Error&) {
  }
}

}  // namespace

Identification identify(const std::vector<std::string>& paths, const std::string& layer_glob, unsigned jobs, const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<Dump> dumps;
  for (const auto& p : paths) dumps.push_back(Dump::open(p));
  std::vector<std::pair<const Dump*, const LayerEntry*>> work;
  for (const auto& d : dumps)
    for (const auto& e : d.layers())
      if (layer_glob.empty() || glob_matches(layer_glob, e.name)) work.emplace_back(&d, &e);
  std::vector<std::map<std::string, Score>> scores(work.size());
  parallel(work.size(), jobs, [&](std::size_t i) { scores[i] = score(*work[i].first, *work[i].second); }, progress);

  std::map<std::string, Score> total;
  for (const auto& p : all_profiles())
    for (const auto& isa : p.isas.empty() ? std::vector<std::string>{""} : p.isas) total[profile_label(p, isa)];
  for (const auto& s : scores)
    for (auto& [label, t] : total) {
      const auto it = s.find(label);
      if (it == s.end() || it->second.not_checked) ++t.not_checked;
      else t.elements += it->second.elements, t.mismatches += it->second.mismatches;
    }
  Identification result;
  for (const auto& [label, t] : total) result.profiles.push_back({label, t.elements, t.mismatches, t.not_checked});
  std::stable_sort(result.profiles.begin(), result.profiles.end(), [](const auto& a, const auto& b) {
    // What is not checked counts as not reproduced: most elements right first.
    const std::int64_t ra = a.elements - a.mismatches, rb = b.elements - b.mismatches;
    return ra != rb ? ra > rb : a.mismatches != b.mismatches ? a.mismatches < b.mismatches : a.not_checked < b.not_checked;
  });
  for (std::size_t k = 1; k < result.profiles.size() && result.deciding.empty(); ++k) {
    if (result.profiles[k].elements == 0) break;
    for (const auto& [dump, entry] : work) {
      if (result.deciding.size() >= deciding_kept) break;
      decide(*dump, *entry, result.profiles[0].name, result.profiles[k].name, result.deciding);
    }
    if (!result.deciding.empty()) result.told_apart_from = result.profiles[k].name;
  }
  return result;
}

std::string to_text(const Identification& r) {
  std::string s = "profile                        elements  mismatches  not checked\n";
  const auto right = [](std::string v, std::size_t n) { return v.size() < n ? std::string(n - v.size(), ' ') + v : v; };
  for (const auto& p : r.profiles) {
    if (p.elements == 0) continue;
    s += p.name + std::string(p.name.size() < 28 ? 28 - p.name.size() : 1, ' ') + right(std::to_string(p.elements), 11) + right(std::to_string(p.mismatches), 12) + right(std::to_string(p.not_checked), 13) + "\n";
  }
  if (r.profiles.empty() || r.profiles[0].elements == 0) return s + "\nno profile computes any layer of this dump\n";
  if (r.deciding.empty()) return s + "\nno element of this dump tells " + r.profiles[0].name + " from any other profile that computes it\n";
  s += "\n" + r.profiles[0].name + " is told from " + r.told_apart_from + " by\n";
  for (const auto& d : r.deciding) {
    std::string at;
    for (const auto v : d.index) at += (at.empty() ? "" : ",") + std::to_string(v);
    s += "  " + d.layer + " [" + at + "]: " + d.first + " against " + d.second + ", observed " + d.observed + "\n";
  }
  for (std::size_t k = 1; k < r.profiles.size() && r.profiles[k].name != r.told_apart_from; ++k)
    s += "nothing here tells " + r.profiles[0].name + " from " + r.profiles[k].name + "\n";
  return s;
}

std::string to_json(const Identification& r) {
  using Json = nlohmann::ordered_json;
  Json j{{"profiles", Json::array()}, {"deciding", Json::array()}, {"told_apart_from", r.told_apart_from}};
  for (const auto& p : r.profiles) j["profiles"].push_back({{"name", p.name}, {"elements", p.elements}, {"mismatches", p.mismatches}, {"not_checked", p.not_checked}});
  for (const auto& d : r.deciding) j["deciding"].push_back({{"layer", d.layer}, {"output", d.output}, {"index", d.index}, {"first", d.first}, {"second", d.second}, {"observed", d.observed}});
  return j.dump(1) + "\n";
}

}  // namespace lastbit
