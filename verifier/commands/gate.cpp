// gate: the CI entry. A policy over dumps, with a baseline of what is known.
#include <CLI/CLI.hpp>
#include <memory>

#include "lib/error.hpp"
#include "verifier/command.hpp"
#include "verifier/gate_run.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

struct Options {
  VerifyOptions verify;
  OutputOptions output;
  std::string policy, baseline;
  std::optional<std::int64_t> max_lsb;
  bool github = false;
};

int run(const Options& o) {
  std::optional<Baseline> baseline;
  if (!o.baseline.empty()) baseline = baseline_from_json(read_file(o.baseline), o.baseline);
  if (o.max_lsb && !o.policy.empty()) throw Error("--max-lsb", "found beside --policy, expected the limit in the policy");
  if (o.max_lsb && *o.max_lsb < 0) throw Error("--max-lsb", "found " + std::to_string(*o.max_lsb) + ", expected a number >= 0");
  const Policy policy = o.policy.empty() ? default_policy(baseline.has_value(), o.max_lsb) : policy_from_json(read_file(o.policy), o.policy, baseline.has_value());
  VerifyOptions verify = o.verify;
  Progress progress("gate");
  verify.progress = [&](std::size_t done, std::size_t of) { progress(done, of); };
  GateInput in = verify_for_gate(verify, baseline ? &*baseline : nullptr);
  progress.finish();
  in.report.gate = judge(in, policy, baseline ? &*baseline : nullptr);
  write_report(in.report, o.output);
  if (o.github) write_stdout(github_annotations(*in.report.gate));
  return in.report.exit_status();
}

std::function<int()> set_up(CLI::App& app, const Invocation& invocation) {
  auto o = std::make_shared<Options>();
  app.add_option("dump", o->verify.dumps, "dumps: directories with a manifest.json")->required();
  app.add_option("--policy", o->policy, "what may differ, in JSON (docs/schemas/policy.schema.json)");
  app.add_option("--baseline", o->baseline, "what is known, in JSON (lastbit baseline update writes it)");
  app.add_option("--max-lsb", o->max_lsb, "instead of a policy: no error larger than this");
  app.add_option("--profile", o->verify.profile, "NAME, NAME@isa or FILE.json instead of what the dump or the baseline says");
  app.add_option("--layer", o->verify.layer_glob, "only layers whose name matches this glob");
  app.add_flag("--chained", o->verify.chained, "also from the reference's own outputs, for the report; what is inherited fails no layer");
  app.add_option("-j,--jobs", o->verify.jobs, "threads (default: all cores)");
  app.add_flag("--github", o->github, "also print GitHub's workflow commands, one a finding");
  add_output_options(app, o->output);
  return [o, invocation] {
    o->verify.version = invocation.version;
    o->verify.command = invocation.arguments;
    return run(*o);
  };
}

}  // namespace

Command gate() { return {"gate", "fail on what a policy and a baseline do not allow: the CI entry", set_up}; }

}  // namespace lastbit::commands
