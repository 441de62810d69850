// baseline: writes what the gate accepts as known. A person does that, with a reason; CI does not.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "lib/error.hpp"
#include "verifier/command.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/gate_run.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

struct Options {
  VerifyOptions verify;
  std::string baseline, reason;
};

int update(const Options& o) {
  if (in_ci()) throw Error("lastbit baseline update", "found CI set, expected a person: a baseline is not written in CI");
  if (o.reason.find_first_not_of(" \t\n") == std::string::npos) throw Error("--reason", "found nothing, expected why these results are accepted");
  Baseline before;
  if (std::filesystem::exists(o.baseline)) before = baseline_from_json(read_file(o.baseline), o.baseline);
  VerifyOptions verify = o.verify;
  Progress progress("baseline");
  verify.progress = [&](std::size_t done, std::size_t of) { progress(done, of); };
  const GateInput in = verify_for_gate(verify, nullptr);
  progress.finish();
  if (in.report.elements() == 0) throw Error("lastbit baseline update", "found no element to compare, expected results to record");
  const auto not_looked_at = [&](const std::string& layer) { return !o.verify.layer_glob.empty() && !glob_matches(o.verify.layer_glob, layer); };
  write_file(o.baseline, to_json(updated(std::move(before), records(in, o.reason), not_looked_at)));
  std::int64_t mismatches = 0;
  for (const LayerReport& layer : in.report.layers) mismatches += layer.mismatches;
  write_stdout(o.baseline + ": " + std::to_string(in.report.layers.size()) + " layers recorded, " + std::to_string(mismatches) + " mismatches in them\n");
  return 0;
}

std::function<int()> set_up(CLI::App& app, const Invocation& invocation) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("update", "verify dumps and write the results as known");
  app.require_subcommand(1);
  sub->add_option("dump", o->verify.dumps, "dumps: directories with a manifest.json")->required();
  sub->add_option("--baseline", o->baseline, "the file to write; layers that did not change keep their reasons")->required();
  sub->add_option("--reason", o->reason, "why these results are accepted")->required();
  sub->add_option("--profile", o->verify.profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
  sub->add_option("--layer", o->verify.layer_glob, "only layers whose name matches this glob; the others keep their records");
  sub->add_option("-j,--jobs", o->verify.jobs, "threads (default: all cores)");
  return [o, invocation] {
    o->verify.version = invocation.version;
    o->verify.command = invocation.arguments;
    return update(*o);
  };
}

}  // namespace

Command baseline() { return {"baseline", "write what the gate accepts as known", set_up}; }

}  // namespace lastbit::commands
