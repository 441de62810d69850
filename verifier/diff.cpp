// diff.cpp: see diff.hpp.
#include "verifier/diff.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/dump/layout.hpp"
#include "lib/error.hpp"
#include "verifier/compare.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

bool same_quantization(const Quantization& a, const Quantization& b) { return a.scale == b.scale && a.zero_point == b.zero_point; }

Computed as_expected(const Tensor& t) {
  Computed c;
  c.shape = t.shape;
  if (is_float(t.dtype)) c.f = t.f32();
  else c.q = t.i32();
  return c;
}

/// In the order NC…, whatever order its dump keeps it in: operators without spatial axes leave a tensor as stored.
Tensor in_order(const Dump& dump, const std::string& name, const Tensor& t) {
  const std::string& layout = dump.tensors().at(name).layout;
  if (layout.size() != t.shape.size() || !t.stored_axes.empty()) return t;
  const std::string wanted = wanted_layout(Role::activation, layout);
  return wanted.empty() ? t : permuted(t, axis_order(layout, wanted));
}

Layer bound_in_order(const Dump& dump, const LayerEntry& entry) {
  Layer layer = dump.bind(entry);
  for (auto& [port, t] : layer.inputs) t = in_order(dump, entry.inputs.at(port), t);
  for (auto& [port, t] : layer.outputs) t = in_order(dump, entry.outputs.at(port), t);
  return layer;
}

/// The shape without axes of length one: a mean over an image is [N, C, 1, 1] here and [N, C] there.
Shape squeezed(Shape shape) {
  std::erase(shape, 1);
  return shape;
}

bool same_values(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.dtype == b.dtype && compare(as_expected(a), b).mismatches == 0;
}

void compare_layers(const Layer& a, const Layer& b, DiffLayer& d) {
  for (const auto& [port, tb] : b.outputs) {
    const auto it = a.outputs.find(port);
    if (it == a.outputs.end()) continue;
    const Tensor& ta = it->second;
    if (squeezed(ta.shape) != squeezed(tb.shape) || is_float(ta.dtype) != is_float(tb.dtype)) {
      d.note = "the outputs have other shapes or types: " + to_string(ta.shape) + " and " + to_string(tb.shape);
      continue;
    }
    d.same_qparams = d.same_qparams && same_quantization(ta.q, tb.q);
    const Comparison c = compare(as_expected(ta), tb);
    d.elements += c.elements;
    d.different += c.mismatches;
    d.max_lsb = std::max(d.max_lsb, c.max_lsb);
  }
  for (const auto& [port, tb] : b.inputs) {
    const auto it = a.inputs.find(port);
    const bool same = it != a.inputs.end() && same_values(it->second, tb) && same_quantization(it->second.q, tb.q);
    (port == "weight" || port == "bias" ? d.same_weights : d.same_inputs) &= same;
  }
}

/// B's entry for every layer of A: by name and operator, by name alone (one runtime's mean is another's average pool), else the
/// next of the same operator in order.
std::vector<const LayerEntry*> matched(const Dump& a, const Dump& b) {
  std::map<std::string, const LayerEntry*> by_name;
  for (const auto& e : b.layers()) by_name[e.name] = &e;
  std::set<const LayerEntry*> taken;
  std::vector<const LayerEntry*> match(a.layers().size(), nullptr);
  for (const bool same_operator : {true, false})
    for (std::size_t i = 0; i < match.size(); ++i) {
      const auto it = by_name.find(a.layers()[i].name);
      if (match[i] || it == by_name.end() || taken.count(it->second) || (same_operator && it->second->op != a.layers()[i].op)) continue;
      match[i] = it->second;
      taken.insert(it->second);
    }
  std::size_t next = 0;
  for (std::size_t i = 0; i < match.size(); ++i) {
    if (match[i]) continue;
    for (std::size_t k = next; k < b.layers().size(); ++k) {
      const LayerEntry& e = b.layers()[k];
      if (e.op != a.layers()[i].op || taken.count(&e)) continue;
      match[i] = &e;
      taken.insert(&e);
      next = k + 1;
      break;
    }
  }
  return match;
}

}  // namespace

Diff diff(const std::string& path_a, const std::string& path_b, VerifyOptions options) {
  const Dump a = Dump::open(path_a), b = Dump::open(path_b);
  Diff result{a.name(), b.name(), {}, "", 0};
  const auto match = matched(a, b);
  // B's layers under A's arithmetic: A's profile, version, build and instruction set.
  std::map<std::string, LayerReport> isolated;
  std::set<std::string> profiles;
  for (const auto& e : a.layers()) {
    const ChosenProfile c = choose_profile(a, e, options.profile);
    if (c.profile) profiles.insert(c.profile->name + (c.isa.empty() ? "" : "@" + c.isa));
  }
  options.dumps = {path_b};
  options.as_producer = a.producer();
  std::map<std::string, std::string> wanted;  // of B's layer: A's profile
  for (std::size_t i = 0; i < match.size(); ++i)
    if (match[i]) {
      const ChosenProfile c = choose_profile(a, a.layers()[i], options.profile);
      if (c.profile) wanted[match[i]->name] = c.profile->name + (c.isa.empty() ? "" : "@" + c.isa);
    }
  for (const auto& profile : profiles) {
    VerifyOptions each = options;
    each.profile = profile;
    for (auto& r : verify_dumps(each).layers)
      if (const auto it = wanted.find(r.name); it != wanted.end() && it->second == profile) isolated.insert_or_assign(r.name, std::move(r));
  }
  for (std::size_t i = 0; i < match.size(); ++i) {
    const LayerEntry& ea = a.layers()[i];
    if (!options.layer_glob.empty() && !glob_matches(options.layer_glob, ea.name)) continue;
    DiffLayer d;
    d.name = ea.name;
    d.op = ea.op;
    if (!match[i]) {
      d.note = "only in " + a.name();
    } else {
      d.name_b = match[i]->name;
      try {
        compare_layers(bound_in_order(a, ea), bound_in_order(b, *match[i]), d);
      } catch (const Error& e) {
        d.note = e.what();
      }
      if (const auto it = isolated.find(match[i]->name); it != isolated.end()) d.isolated = it->second;
      result.unexplained += d.isolated.unexplained;
      if (d.different && result.first_divergence.empty()) result.first_divergence = d.name;
    }
    result.layers.push_back(std::move(d));
  }
  for (const auto& e : b.layers())
    if (std::none_of(match.begin(), match.end(), [&](const LayerEntry* m) { return m == &e; })) {
      DiffLayer d;
      d.name = d.name_b = e.name;
      d.op = e.op;
      d.note = "only in " + b.name();
      result.layers.push_back(std::move(d));
    }
  return result;
}

int Diff::exit_status() const {
  std::int64_t elements = 0;
  bool differs = false;
  for (const auto& d : layers) elements += d.elements, differs |= d.different > 0 || !d.note.empty();
  return elements == 0 ? 5 : differs ? 1 : 0;
}

std::string to_text(const Diff& d) {
  std::string s = "A " + d.a + "\nB " + d.b + "\n";
  s += d.first_divergence.empty() ? "no layer's output differs\n" : "first divergence: " + d.first_divergence + "\n";
  if (d.unexplained) s += std::to_string(d.unexplained) + " isolated differences unexplained\n";
  s += "\n" + std::string("layer                     elements    differ  max LSB  isolated  cause\n");
  const auto pad = [](std::string v, std::size_t n) { return v.size() < n ? v + std::string(n - v.size(), ' ') : v.substr(0, n - 1) + " "; };
  const auto left = [](std::int64_t v, std::size_t n) {
    const std::string t = std::to_string(v);
    return t.size() < n ? std::string(n - t.size(), ' ') + t : t;
  };
  for (const auto& l : d.layers) {
    s += pad(l.name, 24) + left(l.elements, 10) + left(l.different, 10) + left(l.max_lsb, 9) + left(l.isolated.mismatches, 10);
    for (const auto& c : l.isolated.causes) s += "  " + c.name + " (" + std::to_string(c.explains) + " of " + std::to_string(c.of) + ")";
    if (l.isolated.unexplained) s += "  " + std::to_string(l.isolated.unexplained) + " unexplained";
    if (!l.same_weights) s += "  weights or bias differ";
    if (!l.same_qparams) s += "  output qparams differ";
    if (l.different && !l.isolated.mismatches && !l.same_inputs) s += "  inherited from its inputs";
    if (!l.note.empty()) s += "  " + l.note;
    s += "\n";
  }
  return s;
}

std::string to_json(const Diff& d) {
  using Json = nlohmann::ordered_json;
  Json j{{"a", d.a}, {"b", d.b}, {"first_divergence", d.first_divergence.empty() ? Json(nullptr) : Json(d.first_divergence)}, {"unexplained", d.unexplained}, {"layers", Json::array()}};
  for (const auto& l : d.layers) {
    Json causes = Json::array();
    for (const auto& c : l.isolated.causes) causes.push_back({{"name", c.name}, {"explains", c.explains}, {"of", c.of}, {"sentence", c.sentence}});
    j["layers"].push_back({{"name", l.name}, {"name_b", l.name_b}, {"op", l.op}, {"elements", l.elements}, {"different", l.different}, {"max_lsb", l.max_lsb}, {"same_inputs", l.same_inputs}, {"same_weights", l.same_weights},
                           {"same_qparams", l.same_qparams}, {"note", l.note}, {"isolated", {{"elements", l.isolated.elements}, {"mismatches", l.isolated.mismatches}, {"max_lsb", l.isolated.max_lsb}, {"undefined", l.isolated.events.undefined},
                           {"unexplained", l.isolated.unexplained}, {"causes", causes}}}});
  }
  return j.dump(1) + "\n";
}

}  // namespace lastbit
