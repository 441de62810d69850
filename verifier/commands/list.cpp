// list.cpp: `lastbit list` prints the registries: what can be checked, by which arithmetic, shown how.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "golden/suite.hpp"
#include "golden/writer.hpp"
#include "lib/layer/intervals.hpp"
#include "lib/layer/operator.hpp"
#include "lib/profile/profile.hpp"
#include "reports/report.hpp"
#include "reports/words.hpp"
#include "verifier/cause.hpp"
#include "verifier/command.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

using Json = nlohmann::ordered_json;
using words::join;

Json ports(const std::vector<Port>& all) {
  Json list = Json::array();
  for (const Port& port : all) list.push_back({{"name", port.name}, {"what", port.what}, {"optional", port.optional}});
  return list;
}

bool names_it(const Cell& cell, const Operator& op) {
  return std::any_of(cell.ops.begin(), cell.ops.end(), [&](const std::string& name) {
    return name == op.name || std::find(op.families.begin(), op.families.end(), name) != op.families.end();
  });
}

/// Who holds an operator. Exact: the profile's general cell decides every element. Open: cells whose results may be intervals,
/// with the conditions under which they are in force.
struct Holders {
  struct Open {
    std::string profile, when, reason;
  };
  std::vector<std::string> exact;
  std::vector<Open> open;
};

Holders holders(const Operator& op) {
  Holders all;
  for (const Profile& p : all_profiles()) {
    bool general = true;  // the first cell that names the operator: later ones are for some layers
    std::set<std::string> reasons;
    for (const Cell& c : p.cells) {
      if (!names_it(c, op) || c.rule == "unsupported") continue;
      const std::string reason = open_reason(op, c);
      if (general && reason.empty()) all.exact.push_back(p.name);
      if (!reason.empty() && reasons.insert(reason).second) all.open.push_back({p.name, join(c.when, " and "), reason});
      general = false;
    }
  }
  return all;
}

Json operators() {
  Json list = Json::array();
  for (const Operator& op : all_operators()) {
    Json attributes = Json::array();
    for (const AttributeSpec& a : op.attributes) attributes.push_back({{"name", a.name}, {"what", a.what}});
    const Holders held = holders(op);
    Json open = Json::array();
    for (const auto& o : held.open) open.push_back({{"name", o.profile}, {"when", o.when}, {"reason", o.reason}});
    list.push_back({{"name", op.name}, {"formula", op.formula}, {"families", op.families}, {"inputs", ports(op.inputs)},
                    {"outputs", ports(op.outputs)}, {"attributes", attributes}, {"rules", op.rules}, {"profiles", held.exact}, {"intervals", open}});
  }
  return list;
}

Json profiles() {
  Json list = Json::array();
  for (const Profile& profile : all_profiles()) list.push_back(Json::parse(to_json(profile)));
  return list;
}

template <typename Entry>
Json named(const std::vector<Entry>& all) {
  Json list = Json::array();
  for (const Entry& entry : all) list.push_back({{"name", entry.name}, {"about", entry.about}});
  return list;
}

std::string text_of_operators() {
  std::string out;
  for (const Operator& op : all_operators()) {
    std::vector<std::string> names, attributes;
    for (const Port& port : op.inputs) names.push_back(port.optional ? "[" + port.name + "]" : port.name);
    for (const AttributeSpec& a : op.attributes) attributes.push_back(a.name);
    out += op.name + "(" + join(names, ", ") + ")\n  " + op.formula + "\n";
    if (!attributes.empty()) out += "  attributes: " + join(attributes, ", ") + "\n";
    if (!op.rules.empty()) out += "  rules: " + join(op.rules, ", ") + "\n";
    const Holders held = holders(op);
    out += "  exact: " + (held.exact.empty() ? "none" : join(held.exact, ", ")) + "\n";
    std::map<std::string, std::vector<std::string>> by_reason;
    for (const auto& o : held.open) by_reason[o.reason].push_back(o.profile + (o.when.empty() ? "" : " when " + o.when));
    for (const auto& [reason, profiles] : by_reason) out += "  intervals (" + reason + "): " + join(profiles, ", ") + "\n";
  }
  return out;
}

std::string text_of(const Cell& cell) {
  std::string out = "    " + join(cell.ops, ", ");
  if (!cell.when.empty()) out += " when " + join(cell.when, " and ");
  out += ":";
  if (!cell.rule.empty()) out += " " + cell.rule;
  for (const auto& [key, value] : cell.with) out += " " + key + "=" + value;
  out += "\n";
  for (const std::string& stage : cell.stages) out += "      " + stage + "\n";
  return out;
}

std::string text_of_profiles() {
  std::string out;
  for (const Profile& profile : all_profiles()) {
    out += profile.name + "\n  " + profile.title + "\n  evidence: " + profile.evidence + "\n";
    if (!profile.isas.empty()) out += "  variants: @" + join(profile.isas, ", @") + "\n";
    if (!profile.replaces.empty()) out += "  replaces " + profile.replaces + " when " + join(profile.replaces_when, " and ") + "\n";
    for (const std::string& source : profile.sources) out += "  source: " + source + "\n";
    out += "  cells (the last whose conditions hold is in force)\n";
    for (const Cell& cell : profile.cells) out += text_of(cell);
  }
  return out;
}

template <typename Entry>
std::string text_of_named(const std::vector<Entry>& all) {
  std::size_t width = 0;
  for (const Entry& entry : all) width = std::max(width, entry.name.size());
  std::string out;
  for (const Entry& entry : all) out += entry.name + std::string(width + 2 - entry.name.size(), ' ') + entry.about + "\n";
  return out;
}

Json causes() {
  Json list = Json::array();
  for (const Cause& cause : all_causes()) list.push_back({{"name", cause.family}, {"about", cause.about}, {"names", cause.names}});
  return list;
}

std::string text_of_causes() {
  std::string out;
  for (const Cause& cause : all_causes()) {
    out += cause.family + "\n  " + cause.about + "\n";
    for (const std::string& name : cause.names) out += "  - " + name + "\n";
  }
  return out;
}

struct Kind {
  std::string name;
  Json (*json)();
  std::string (*text)();
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"operators", operators, text_of_operators},
      {"profiles", profiles, text_of_profiles},
      {"formats", [] { return named(all_formats()); }, [] { return text_of_named(all_formats()); }},
      {"causes", causes, text_of_causes},
      {"suites", [] { return named(all_suites()); }, [] { return text_of_named(all_suites()); }},
      {"emit", [] { return named(all_writers()); }, [] { return text_of_named(all_writers()); }},
      {"commands", [] { return named(all_commands()); }, [] { return text_of_named(all_commands()); }},
  };
  return all;
}

// Without a kind: one line a kind, names only.
std::string overview() {
  std::string out;
  for (const Kind& kind : kinds()) {
    std::vector<std::string> names;
    for (const Json& entry : kind.json()) names.push_back(entry.at("name"));
    out += kind.name + " (" + std::to_string(names.size()) + "): " + join(names, ", ") + "\n";
  }
  return out;
}

}  // namespace

Command list() {
  return {"list", "operators, profiles, formats, causes, golden suites and their forms, commands", [](CLI::App& app, const Invocation&) -> std::function<int()> {
            struct Options {
              std::string kind, profile, format = "text";
            };
            const auto options = std::make_shared<Options>();
            std::vector<std::string> names;
            for (const Kind& kind : kinds()) names.push_back(kind.name);
            app.add_option("kind", options->kind, join(names, ", ") + "; all names without one")->check(CLI::IsMember(names));
            app.add_option("--format", options->format, "text or json")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
            app.add_option("--profile", options->profile, "one profile as JSON, as --profile FILE.json of the other commands reads it");
            return [options] {
              if (!options->profile.empty()) {
                write_stdout(to_json(find_profile(options->profile)));
                return 0;
              }
              const bool json = options->format == "json";
              Json all = Json::object();
              std::string out;
              for (const Kind& kind : kinds()) {
                if (!options->kind.empty() && kind.name != options->kind) continue;
                if (json) all[kind.name] = kind.json();
                else out += options->kind.empty() ? "" : kind.text();
              }
              if (options->kind.empty()) out = overview();
              write_stdout(json ? all.dump(2) + "\n" : out);
              return 0;
            };
          }};
}

}  // namespace lastbit::commands
