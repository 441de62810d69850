// matrix.cpp: see matrix.hpp.
#include "golden/matrix.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <map>
#include <memory>
#include <set>

#include "golden/folder.hpp"
#include "golden/planted.hpp"
#include "lib/dump/write.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/rivals.hpp"

namespace lastbit {
namespace {

/// Numbers in a sentence (a zero point, a padding) are not the rule.
std::string without_numbers(const std::string& s) {
  std::string r;
  for (const char c : s)
    if (!std::isdigit(static_cast<unsigned char>(c)) && c != '-') r += c;
  return r;
}

constexpr std::size_t most_looked_at = 4096;

Values values_of(const Computed& c) { return c.f.empty() ? Values(c.q.begin(), c.q.end()) : Values(c.f.begin(), c.f.end()); }

}  // namespace

std::string main_output(const Layer& layer) { return layer.has_out("y") || layer.outputs.empty() ? "y" : layer.outputs.begin()->first; }

void write_cases(const std::filesystem::path& directory, const std::string& label, const Producer& producer, const std::vector<Layer>& cases) {
  DumpToWrite out;
  out.producer = producer;
  out.profile = label.size() > 5 && label.find(".json") != std::string::npos ? "" : label;
  for (const auto& layer : cases) {
    out.layers.push_back(layer);
    for (auto* ports : {&out.layers.back().inputs, &out.layers.back().outputs})
      for (auto& [port, t] : *ports) t.name = layer.name + "." + port;
  }
  write_dump(directory, out);
}

struct CasesHeld {
  struct One {
    Layer layer;
    Cell cell;
    Evaluated own;
    std::unique_ptr<const Case> looked_at;
  };
  PassingFolder folder;
  std::unique_ptr<const Dump> dump;
  std::vector<std::unique_ptr<One>> all;
};

const Case& AllRules::of_case(std::size_t k) const { return *held->all[k]->looked_at; }

namespace {

std::string spelled(const Cell& cell) {
  std::string s = cell.rule;
  for (const auto& stage : cell.stages) s += "|" + stage;
  for (const auto& [key, value] : cell.with) s += "|" + key + "=" + value;
  return s;
}

/// "accumulator:<bits>-wrap" and "accumulator:17-wrap", "input:<tensor>" and "input:exact.x".
bool stands_for(const std::string& general, const std::string& name) {
  const auto open = general.find('<'), close = general.find('>');
  if (open == std::string::npos) return general == name;
  const std::string head = general.substr(0, open), tail = general.substr(close + 1);
  return name.size() > head.size() + tail.size() && name.compare(0, head.size(), head) == 0 && name.compare(name.size() - tail.size(), tail.size(), tail) == 0 &&
         (tail.empty() || name.find('-', head.size()) == name.size() - tail.size());
}

/// Why a cause that `lastbit list causes` names has no rule in these layers.
std::string why_not(const std::string& family, const std::string& name, const std::vector<Layer>& cases) {
  const Layer& layer = cases[0];
  const auto& y = layer.out(main_output(layer));
  if (family == "input") return "the layer has no two inputs of one shape and type, and a suite no network around it from which another tensor could be read";
  if (family == "position") return "the output has no such place";
  if (name == "zero-point:stale") return is_float(y.dtype) ? "the output is a float and has no zero point" : "the output has no zero point of its own";
  if (family == "padding") return "these layers have no padding";
  if (family == "accumulator" && layer.op != "conv2d_add") return "no sum of these layers leaves the narrowest register tried, or they add nothing up";
  return "does not apply to these layers";
}

}  // namespace

AllRules all_rules(const Workshop& w, const std::vector<Layer>& cases, bool observed) {
  AllRules all;
  const auto held = std::make_shared<CasesHeld>();
  all.held = held;
  write_cases(held->folder.path / "suite", "", w.producer, cases);
  held->dump = std::make_unique<const Dump>(Dump::open(held->folder.path / "suite", false));
  const Dump& dump = *held->dump;
  std::map<std::string, std::size_t> by_key;
  const std::string self = profile_label(*w.profile, w.isa);
  std::set<std::string> same;
  const auto rule = [&](const std::string& name, const std::string& sentence, int rank, int turn) -> RuleValues& {
    const std::string key = name + "|" + without_numbers(sentence) + (turn ? "|" + std::to_string(turn) : "");
    const auto [it, fresh] = by_key.emplace(key, all.rules.size());
    if (fresh) all.rules.push_back({name, sentence, key, rank, std::vector<Values>(cases.size()), std::vector<std::shared_ptr<const Change>>(cases.size()), std::vector<std::string>(cases.size())});
    return all.rules[it->second];
  };
  std::set<std::string> computing;
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const LayerEntry& entry = dump.layers()[k];
    held->all.push_back(std::make_unique<CasesHeld::One>());
    CasesHeld::One& one = *held->all.back();
    one.layer = bind_layer(dump, entry, w.isa);
    const Cell* found = cell_for(*w.profile, *w.op, one.layer);
    ensure(found != nullptr, "a suite's layer lost its arithmetic");
    one.cell = *found;
    const Layer& layer = one.layer;
    const Cell* cell = &one.cell;
    const std::string port = main_output(layer);
    one.own = evaluate(layer, *w.op, *cell);
    const Computed& expected = one.own.result.outputs.at(port);
    all.expected.push_back(values_of(expected));
    Comparison comparison;
    if (observed) comparison = one.own.compared.at(port);
    else comparison.differing = {0};  // causes that solve for a number look at what differs: they find none that fits, and are not rules
    one.looked_at = std::make_unique<const Case>(dump, entry, layer, *w.op, *w.profile, *cell, expected, port, comparison);
    const Case& c = *one.looked_at;
    std::map<std::string, int> turns;  // rules of one sentence in one case are told apart by their order
    const auto add = [&](const Suspect& s) {
      Values v;
      try {
        v = s.values({});
      } catch (const Error&) {
        return;  // the change does not fit this layer
      }
      if (v.size() != all.expected.back().size()) return;
      RuleValues& r = rule(s.name, s.sentence, s.rank, turns[s.name + "|" + without_numbers(s.sentence)]++);
      r.cases[k] = std::move(v), r.changes[k] = s.change;
    };
    for (const auto& cause : all_causes()) {
      if (cause.family == "profile" || cause.family == "position" || (cause.family == "input" && !observed)) continue;
      std::vector<Suspect> suspects;
      try {
        suspects = cause.suspects(c);
      } catch (const Error&) {
        continue;
      }
      for (const auto& s : suspects)
        if (s.rank < 20 || observed) add(s);
    }
    if (!observed)
      for (const auto& s : planted_faults(c)) add(s);
    for (auto& rival : rivals(layer, *w.op)) {
      for (const auto& label : rival.alike) computing.insert(label);
      computing.insert(rival.label);
      if (same_rule(rival.cell, *cell)) {
        same.insert(rival.label);
        same.insert(rival.alike.begin(), rival.alike.end());
        continue;
      }
      Values v;
      try {
        v = c.rerun(rival.layer, rival.cell, {});
      } catch (const Error&) {
        continue;
      }
      if (v.size() != all.expected.back().size()) continue;
      std::vector<std::string> labels{rival.label};
      labels.insert(labels.end(), rival.alike.begin(), rival.alike.end());
      std::shared_ptr<const Change> change;
      if (c.accumulates() && &c.base() == &c.layer && rival.cell.rule == "accumulate") change = std::make_shared<const Change>(Change{.stages = rival.cell.stages, .cell = rival.cell});
      for (const auto& label : labels) {
        RuleValues& r = rule("profile:" + label, "Computed as " + label + " computes it.", 50, 0);
        r.cases[k] = v, r.changes[k] = change, r.arithmetic[k] = spelled(rival.cell);
      }
    }
  }
  for (const auto& label : same)
    if (label != self && !by_key.count("profile:" + label + "|" + without_numbers("Computed as " + label + " computes it."))) all.same.push_back(label);
  // What `lastbit list` names and these layers do not have.
  std::set<std::string> seen;
  for (const auto& r : all.rules) seen.insert(r.name);
  for (const auto& cause : all_causes())
    for (const auto& name : cause.names)
      if (cause.family != "profile" && std::none_of(seen.begin(), seen.end(), [&](const std::string& s) { return stands_for(name, s); })) all.not_tried.emplace_back(name, why_not(cause.family, name, cases));
  for (const auto& p : all_profiles())
    for (const auto& isa : p.isas.empty() ? std::vector<std::string>{""} : p.isas)
      if (const auto label = profile_label(p, isa); !computing.count(label) && label != self) all.not_tried.emplace_back("profile:" + label, "does not compute this layer");
  return all;
}

std::string AllRules::own_arithmetic(std::size_t k) const { return spelled(held->all[k]->cell); }

Discrimination discriminate(const AllRules& all, bool separating) {
  Discrimination d;
  // A rule on every element: where it does not apply, the profile's own value.
  const auto whole = [&](const RuleValues* r) {
    Values v;
    for (std::size_t k = 0; k < all.expected.size(); ++k) {
      const Values& part = r && !r->cases[k].empty() ? r->cases[k] : all.expected[k];
      v.insert(v.end(), part.begin(), part.end());
    }
    return v;
  };
  const Values expected = whole(nullptr);
  std::vector<Values> of_kind{expected};
  d.kinds.emplace_back();
  const auto hash = [](const Values& v) {
    std::uint64_t h = 0;
    for (const double e : v) h = h * 0x9E3779B97F4A7C15u + (e == e ? std::bit_cast<std::uint64_t>(e + 0.0) : 1);  // -0 is 0
    return h;
  };
  std::vector<std::uint64_t> hashes{hash(expected)};
  const auto same = [](const Values& a, const Values& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_value); };
  for (const auto& r : all.rules) {
    Values v = whole(&r);
    RuleSeen seen{r.name, r.sentence, r.rank, 0, -1, 0};
    for (std::size_t i = 0; i < v.size(); ++i)
      if (!same_value(v[i], expected[i])) {
        if (seen.first < 0) seen.first = static_cast<std::int64_t>(i);
        ++seen.differs;
      }
    std::size_t kind = 0;
    const std::uint64_t h = hash(v);
    while (kind < of_kind.size() && (hashes[kind] != h || !same(of_kind[kind], v))) ++kind;
    if (kind == of_kind.size()) of_kind.push_back(std::move(v)), hashes.push_back(h), d.kinds.emplace_back();
    seen.kind = kind;
    d.kinds[kind].rules.push_back(d.rules.size());
    d.alike += kind == 0;
    d.rules.push_back(std::move(seen));
  }
  for (const auto& label : all.same) {
    d.kinds[0].rules.push_back(d.rules.size());
    d.rules.push_back({"profile:" + label, "The very same arithmetic for these layers.", 50, 0, -1, 0});
    ++d.alike;
  }
  d.not_tried = all.not_tried;
  if (!separating) return d;
  // Elements that separate all kinds: each time the one that leaves most groups, among some thousands, until every kind is alone.
  std::vector<std::size_t> looked_at;
  for (std::size_t i = 0; i < expected.size(); i += expected.size() / most_looked_at + 1) looked_at.push_back(i);
  std::vector<std::size_t> group(of_kind.size(), 0);
  const auto keys = [&](std::size_t i) {
    std::vector<std::pair<std::size_t, double>> v;
    for (std::size_t k = 0; k < of_kind.size(); ++k) v.emplace_back(group[k], of_kind[k][i] == of_kind[k][i] ? of_kind[k][i] : 1e300);  // NaN has no order
    return v;
  };
  const auto distinct = [&](std::size_t i) {
    auto v = keys(i);
    std::sort(v.begin(), v.end());
    v.erase(std::unique(v.begin(), v.end()), v.end());
    return v;
  };
  for (std::size_t groups = 1; groups < of_kind.size();) {
    std::size_t best = expected.size(), most = groups;
    for (const auto i : looked_at)
      if (const auto n = distinct(i).size(); n > most) best = i, most = n;
    for (std::size_t a = 0; a < group.size() && best == expected.size(); ++a)  // two that are still together differ somewhere
      for (std::size_t b = a + 1; b < group.size() && best == expected.size(); ++b) {
        if (group[a] != group[b]) continue;
        best = 0;
        while (same_value(of_kind[a][best], of_kind[b][best])) ++best;
      }
    const auto parts = distinct(best), of = keys(best);
    for (std::size_t k = 0; k < group.size(); ++k) group[k] = static_cast<std::size_t>(std::lower_bound(parts.begin(), parts.end(), of[k]) - parts.begin());
    groups = parts.size();
    d.separating.push_back(static_cast<std::int64_t>(best));
  }
  // Without those that the later ones make superfluous.
  for (std::size_t at = 0; at < d.separating.size();) {
    std::set<std::vector<double>> given;
    for (const auto& v : of_kind) {
      std::vector<double> g;
      for (std::size_t i = 0; i < d.separating.size(); ++i)
        if (const double e = v[static_cast<std::size_t>(d.separating[i])]; i != at) g.push_back(e == e ? e : 1e300);
      given.insert(std::move(g));
    }
    if (given.size() == of_kind.size()) d.separating.erase(d.separating.begin() + static_cast<std::ptrdiff_t>(at));
    else ++at;
  }
  std::sort(d.separating.begin(), d.separating.end());
  for (std::size_t k = 0; k < d.kinds.size(); ++k)
    for (const auto i : d.separating) d.kinds[k].gives.push_back(of_kind[k][static_cast<std::size_t>(i)]);
  return d;
}

std::vector<std::vector<std::int64_t>> deciding_samples(const AllRules& all, const std::vector<Layer>& cases) {
  // Samples of all cases in a row; for each, what every rule gives there as a number of its own.
  struct Place {
    std::size_t of;
    std::int64_t sample;
    std::vector<std::uint32_t> signature;  // by rule, the profile first
  };
  std::vector<Place> places;
  const std::size_t rules = all.rules.size() + 1;
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const Tensor& y = cases[k].out(main_output(cases[k]));
    const std::int64_t samples = has_samples(cases[k]) ? y.dim(0) : 1;
    const auto size = static_cast<std::size_t>(y.size() / samples);
    for (std::int64_t s = 0; s < samples; ++s) {
      Place p{k, s, std::vector<std::uint32_t>(rules)};
      std::map<std::vector<double>, std::uint32_t> known;
      for (std::size_t r = 0; r < rules; ++r) {
        const Values& v = r == 0 || all.rules[r - 1].cases[k].empty() ? all.expected[k] : all.rules[r - 1].cases[k];
        std::vector<double> part(v.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(s) * size), v.begin() + static_cast<std::ptrdiff_t>((static_cast<std::size_t>(s) + 1) * size));
        for (auto& e : part)
          if (e != e) e = 1e300;  // NaN has no order
        p.signature[r] = known.emplace(std::move(part), static_cast<std::uint32_t>(known.size())).first->second;
      }
      places.push_back(std::move(p));
    }
  }
  // Greedy: the sample that separates most of the pairs still together. Pairs are counted within groups of rules not yet told apart.
  std::vector<std::uint32_t> group(rules, 0);
  const auto refined = [&](const std::vector<std::uint32_t>& g, const Place& p) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> known;
    std::vector<std::uint32_t> r(rules);
    for (std::size_t i = 0; i < rules; ++i) r[i] = known.emplace(std::pair(g[i], p.signature[i]), static_cast<std::uint32_t>(known.size())).first->second;
    return std::pair(r, known.size());
  };
  std::vector<std::size_t> chosen;
  std::size_t kinds = 1;
  for (;;) {
    std::size_t best = places.size(), most = kinds;
    for (std::size_t i = 0; i < places.size(); ++i)
      if (const auto n = refined(group, places[i]).second; n > most) best = i, most = n;
    if (best == places.size()) break;
    group = refined(group, places[best]).first;
    kinds = most;
    chosen.push_back(best);
  }
  for (std::size_t i = chosen.size(); i-- > 0;) {  // without the first ones taken, when later ones do their work
    std::vector<std::uint32_t> g(rules, 0);
    std::size_t n = 1;
    for (std::size_t j = 0; j < chosen.size(); ++j)
      if (j != i) std::tie(g, n) = refined(g, places[chosen[j]]);
    if (n == kinds) chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(i));
  }
  std::vector<std::vector<std::int64_t>> samples(cases.size());
  for (const auto i : chosen) samples[places[i].of].push_back(places[i].sample);
  for (auto& s : samples) std::sort(s.begin(), s.end());
  return samples;
}

}  // namespace lastbit
