// matrix.cpp: see matrix.hpp.
#include "golden/matrix.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "golden/folder.hpp"
#include "lib/dump/write.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

/// Numbers in a sentence (a zero point, a padding) are not the rule.
std::string without_numbers(const std::string& s) {
  std::string r;
  for (const char c : s)
    if (!std::isdigit(static_cast<unsigned char>(c)) && c != '-') r += c;
  return r;
}

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

AllRules all_rules(const Workshop& w, const std::vector<Layer>& cases, bool observed) {
  AllRules all;
  const PassingFolder folder;
  write_cases(folder.path / "suite", "", w.producer, cases);
  const Dump dump = Dump::open(folder.path / "suite", false);
  std::map<std::string, std::size_t> by_key;
  const std::string self = profile_label(*w.profile, w.isa);
  std::set<std::string> same;
  const auto rule = [&](const std::string& name, const std::string& sentence, int rank) -> RuleValues& {
    const std::string key = name + "|" + without_numbers(sentence);
    const auto [it, fresh] = by_key.emplace(key, all.rules.size());
    if (fresh) all.rules.push_back({name, sentence, key, rank, std::vector<Values>(cases.size()), {}});
    return all.rules[it->second];
  };
  std::set<std::string> computing;
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const LayerEntry& entry = dump.layers()[k];
    const Layer layer = bind_layer(dump, entry, w.isa);
    const Cell* cell = cell_for(*w.profile, *w.op, layer);
    ensure(cell != nullptr, "a suite's layer lost its arithmetic");
    const std::string port = main_output(layer);
    const Evaluated own = evaluate(layer, *w.op, *cell);
    const Computed& expected = own.result.outputs.at(port);
    all.expected.push_back(values_of(expected));
    Comparison comparison;
    if (observed) comparison = own.compared.at(port);
    else comparison.differing = {0};  // causes that solve for a number look at what differs: they find none that fits, and are not rules
    const Case c(dump, entry, layer, *w.op, *w.profile, *cell, expected, port, comparison);
    for (const auto& cause : all_causes()) {
      if (cause.family == "profile" || cause.family == "input" || cause.family == "position") continue;
      std::vector<Suspect> suspects;
      try {
        suspects = cause.suspects(c);
      } catch (const Error&) {
        continue;
      }
      for (const auto& s : suspects) {
        if (s.rank >= 20 && !observed) continue;
        Values v;
        try {
          v = s.values({});
        } catch (const Error&) {
          continue;  // the change does not fit this layer
        }
        if (v.size() != all.expected.back().size()) continue;
        rule(s.name, s.sentence, s.rank).cases[k] = std::move(v);
      }
    }
    for (auto& rival : rivals(layer, *w.op)) {
      for (const auto& label : rival.alike) computing.insert(label);
      computing.insert(rival.label);
      if (rival.cell.rule == cell->rule && rival.cell.stages == cell->stages && rival.cell.with == cell->with) {
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
      for (const auto& label : labels) rule("profile:" + label, "Computed as " + label + " computes it.", 50).cases[k] = v;
    }
  }
  for (const auto& label : same)
    if (label != self && !by_key.count("profile:" + label + "|" + without_numbers("Computed as " + label + " computes it."))) all.same.push_back(label);
  // What `lastbit list` names and these layers do not have.
  std::set<std::string> seen;
  for (const auto& r : all.rules) seen.insert(r.name);
  for (const auto& cause : all_causes())
    for (const auto& name : cause.names) {
      if (seen.count(name) || cause.family == "profile") continue;
      const char* why = cause.family == "position" ? "a place, not a rule" : cause.family == "input" ? "needs the network around the layer" : name.find("stale") != std::string::npos ? "a number that only an observation gives" : "does not apply to these layers";
      all.not_tried.emplace_back(name, why);
    }
  for (const auto& p : all_profiles())
    for (const auto& isa : p.isas.empty() ? std::vector<std::string>{""} : p.isas)
      if (const auto label = profile_label(p, isa); !computing.count(label) && label != self) all.not_tried.emplace_back("profile:" + label, "does not compute this layer");
  return all;
}

Discrimination discriminate(const AllRules& all, const std::string& why) {
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
  d.kinds.push_back({{}, ""});
  const auto same = [](const Values& a, const Values& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_value); };
  for (const auto& r : all.rules) {
    const Values v = whole(&r);
    RuleSeen seen{r.name, r.sentence, r.rank, 0, -1, 0};
    for (std::size_t i = 0; i < v.size(); ++i)
      if (!same_value(v[i], expected[i])) {
        if (seen.first < 0) seen.first = static_cast<std::int64_t>(i);
        ++seen.differs;
      }
    std::size_t kind = 0;
    while (kind < of_kind.size() && !same(of_kind[kind], v)) ++kind;
    if (kind == of_kind.size()) of_kind.push_back(v), d.kinds.push_back({{}, ""});
    seen.kind = kind;
    d.kinds[kind].rules.push_back(d.rules.size());
    d.alike += kind == 0;
    d.rules.push_back(std::move(seen));
  }
  for (std::size_t k = 0; k < d.kinds.size(); ++k)
    if (d.kinds[k].rules.size() + (k == 0) > 1) d.kinds[k].why = why;
  for (const auto& label : all.same) {
    d.kinds[0].rules.push_back(d.rules.size());
    d.rules.push_back({"profile:" + label, "The very same arithmetic for these layers.", 50, 0, -1, 0});
    ++d.alike;
  }
  for (std::size_t a = 0; a < of_kind.size(); ++a) {
    d.deciding.emplace_back();
    for (std::size_t b = a + 1; b < of_kind.size(); ++b) {
      std::size_t i = 0;
      while (same_value(of_kind[a][i], of_kind[b][i])) ++i;
      d.deciding.back().push_back(static_cast<std::int64_t>(i));
    }
  }
  d.not_tried = all.not_tried;
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
