// gate.cpp: every way to fail is one function that says so in a sentence. The cause stands first: it is what a reader looks for.
#include "verifier/gate.hpp"

#include <algorithm>
#include <cstdlib>

#include "reports/words.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

using words::count;

struct Judging {
  const GateInput& in;
  const Policy& policy;
  const Baseline* baseline;
  GateOutcome out;

  void fail(const std::string& rule, const LayerReport& l, const std::string& sentence) { out.findings.push_back({rule, l.dump, l.name, sentence}); }
  void fail(const std::string& rule, const std::string& dump, const std::string& sentence) { out.findings.push_back({rule, dump, "", sentence}); }

  bool only_dump() const { return in.report.dumps.size() == 1; }
  const DumpRecord* dump_record(const std::string& dump) const { return baseline ? record_of(*baseline, dump, only_dump()) : nullptr; }
  const LayerRecord* layer_record(const LayerReport& l) const {
    const DumpRecord* d = dump_record(l.dump);
    if (!d) return nullptr;
    const auto found = std::find_if(d->layers.begin(), d->layers.end(), [&](const LayerRecord& r) { return r.name == l.name; });
    return found == d->layers.end() ? nullptr : &*found;
  }

  // "pairs:int16: conv1 (conv2d): 12 of 512 elements differ, max 1 LSB"
  static std::string what_differs(const LayerReport& l) {
    std::vector<std::string> causes;
    for (const CauseFound& c : l.causes) causes.push_back(c.name);
    if (l.unexplained || causes.empty()) causes.push_back("unexplained");
    return words::join(causes, ", ") + ": " + words::divergence_sentence(l);
  }

  void against_baseline(const LayerReport& l, const LayerFacts& facts, const LayerRecord* known) {
    const std::int64_t before = known ? known->mismatches : 0;
    if (l.mismatches > before)
      return fail("baseline", l, what_differs(l) + ", where the baseline knows " + (known ? std::to_string(before) : "no such layer, so none"));
    if (l.mismatches == 0 && before == 0) return;
    if (l.mismatches == 0 || (known && l.mismatches < before))
      out.notes.push_back("better: " + l.name + " has " + count(l.mismatches, "mismatch", "mismatches") + ", the baseline " + std::to_string(before) +
                          "; lastbit baseline update writes it");
    if (l.mismatches == 0) return;
    if (l.max_lsb > known->max_lsb) return fail("baseline", l, what_differs(l) + ", where the baseline knows at most " + std::to_string(known->max_lsb) + " LSB");
    if (l.unexplained > known->unexplained)
      return fail("baseline", l, what_differs(l) + ", " + std::to_string(l.unexplained) + " of them unexplained, where the baseline knows " + std::to_string(known->unexplained));
    for (const CauseFound& c : l.causes)
      if (!known->causes.count(c.name)) return fail("baseline", l, what_differs(l) + "; the baseline does not know the cause " + c.name);
    if (l.mismatches == before && known->inputs == facts.inputs && known->outputs != facts.outputs)
      fail("baseline", l, what_differs(l) + ", as many as the baseline knows from the same inputs, but others");
  }

  void at_most(const LayerReport& l, const PolicyRule& rule) {
    if (l.max_lsb > rule.max_lsb) return fail("max_lsb", l, what_differs(l) + ", at most " + std::to_string(rule.max_lsb) + " allowed");
    if (static_cast<double>(l.mismatches) > rule.mismatch_share * static_cast<double>(l.elements))
      fail("mismatch_share", l, what_differs(l) + ", a share of at most " + words::shortest(rule.mismatch_share) + " allowed");
  }

  void events(const LayerReport& l, const std::vector<std::string>& allowed) {
    const EventCounts& e = l.events;
    const std::pair<const char*, std::int64_t> all[] = {{"tie", e.tie}, {"clamped", e.clamped}, {"saturated", e.saturated}, {"wrapped", e.wrapped},
                                                        {"pair_saturated", e.pair_saturated}, {"inexact_float", e.inexact_float}, {"undefined", e.undefined}};
    for (const auto& [event, n] : all)
      if (n > 0 && std::find(allowed.begin(), allowed.end(), event) == allowed.end())
        fail("events", l, std::string(event) + ": " + l.name + " (" + l.op + "): " + count(n, "element") + ", none allowed");
  }

  void layer(const LayerReport& l, const LayerFacts& facts, const PolicyRule& rule) {
    const LayerRecord* known = layer_record(l);
    if (known && known->op != l.op) fail("stale", l, "stale: " + l.name + " is now " + l.op + ", in the baseline " + known->op);
    if (l.verdict == Verdict::not_checked) {
      const bool was = known && rule.mode == Mode::baseline && known->verdict == "not_checked";
      if (!rule.not_checked && !was) fail("not_checked", l, "not checked: " + l.name + " (" + l.op + "): " + l.reason);
      return;
    }
    const std::size_t before = out.findings.size();
    if (l.mismatches > 0 && rule.mode == Mode::exact) fail("exact", l, what_differs(l) + ", none allowed");
    if (l.mismatches > 0 && rule.mode == Mode::at_most) at_most(l, rule);
    if (rule.mode == Mode::baseline) against_baseline(l, facts, known);
    if (rule.mode == Mode::at_most && out.findings.size() == before && l.unexplained > rule.unexplained)
      fail("unexplained", l, what_differs(l) + ", " + std::to_string(l.unexplained) + " of them unexplained, " + std::to_string(rule.unexplained) + " allowed");
    if (rule.events) events(l, *rule.events);
    if (facts.distinct < rule.distinct_outputs)
      fail("weak", l, "weak dump: " + l.name + " (" + l.op + "): " + count(facts.distinct, "distinct output") + ", at least " + std::to_string(rule.distinct_outputs) + " asked for");
  }

  void layers() {
    std::vector<bool> used(policy.rules.size());
    for (std::size_t i = 0; i < in.report.layers.size(); ++i) {
      const LayerReport& l = in.report.layers[i];
      const PolicyRule* rule = nullptr;
      for (std::size_t r = 0; r < policy.rules.size(); ++r)
        if (glob_matches(policy.rules[r].layers, l.name)) rule = &policy.rules[r], used[r] = true;
      if (rule) layer(l, in.facts[i], *rule);
      else fail("no_rule", l, "no rule: " + l.name + " (" + l.op + "): no glob of the policy matches it");
    }
    for (std::size_t r = 0; r < policy.rules.size() && policy.own && in.layer_glob.empty(); ++r)
      if (!used[r]) fail("empty_match", "", "empty match: the policy's rule " + policy.rules[r].layers + " matches no layer");
  }

  // A layer of the baseline that is gone: renamed when a new layer has its operator and its tensors, else stale.
  void gone(const DumpRecord& d, const std::string& dump) {
    for (const LayerRecord& r : d.layers) {
      if (!in.layer_glob.empty() && !glob_matches(in.layer_glob, r.name)) continue;
      std::string renamed;
      bool there = false;
      for (std::size_t i = 0; i < in.report.layers.size(); ++i) {
        const LayerReport& l = in.report.layers[i];
        if (l.dump != dump) continue;
        there = there || l.name == r.name;
        if (l.op == r.op && in.facts[i].inputs == r.inputs && !layer_record(l)) renamed = l.name;
      }
      if (there) continue;
      if (renamed.empty()) fail("stale", dump, "stale: the baseline's layer " + r.name + " (" + r.op + ") is not in " + dump);
      else fail("renamed", dump, "renamed: the baseline's layer " + r.name + " (" + r.op + ") seems to be " + renamed + " in " + dump + "; lastbit baseline update writes it");
    }
  }

  void dumps() {
    if (!baseline) return;
    std::vector<const DumpRecord*> met;
    for (std::size_t i = 0; i < in.report.dumps.size(); ++i) {
      const std::string& dump = in.report.dumps[i];
      const DumpRecord* d = dump_record(dump);
      met.push_back(d);
      if (!d) {
        fail("unknown_dump", dump, "unknown dump: the baseline has no record of " + dump + ", or several that could be; lastbit baseline update writes one");
        continue;
      }
      if (d->producer != in.report.producers[i]) out.notes.push_back(dump + " was made by " + maker(in.report.producers[i]) + "; judged as the baseline's " + maker(d->producer));
      gone(*d, dump);
    }
    for (const DumpRecord& d : baseline->dumps)
      if (std::find(met.begin(), met.end(), &d) == met.end()) fail("stale", d.dump, "stale: the baseline's dump " + d.dump + " was not given");
  }

  static std::string maker(const std::map<std::string, std::string>& producer) {
    std::vector<std::string> parts;
    for (const char* key : {"framework", "version", "engine", "build", "isa"})
      if (const auto it = producer.find(key); it != producer.end()) parts.push_back(it->second);
    return parts.empty() ? "an unnamed producer" : words::join(parts, " ");
  }
};

}  // namespace

GateOutcome judge(const GateInput& in, const Policy& policy, const Baseline* baseline) {
  Judging judging{in, policy, baseline, {}};
  judging.layers();
  judging.dumps();
  if (in.report.layers.empty())
    judging.fail("empty_match", "", "empty match: no layer to judge" + (in.layer_glob.empty() ? std::string() : ", --layer " + in.layer_glob + " matches none"));
  else if (in.report.elements() == 0)
    judging.fail("weak", "", "weak dump: no element was compared in " + count(static_cast<std::int64_t>(in.report.layers.size()), "layer"));
  return judging.out;
}

bool in_ci() {
  const char* value = std::getenv("CI");
  return value && *value && std::string(value) != "false";
}

std::string github_annotations(const GateOutcome& gate) {
  const auto line = [](const char* kind, const std::string& text) {
    std::string out = std::string("::") + kind + " title=lastbit gate::";
    for (const char c : text) {
      if (c == '%') out += "%25";
      else if (c == '\r') out += "%0D";
      else if (c == '\n') out += "%0A";
      else out += c;
    }
    return out + "\n";
  };
  std::string out;
  for (const GateFinding& f : gate.findings) out += line("error", f.sentence);
  for (const std::string& note : gate.notes) out += line("notice", note);
  return out;
}

}  // namespace lastbit
