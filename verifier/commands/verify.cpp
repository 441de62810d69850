// verify: recompute every layer of a dump, compare, name what differs. The main job.
#include <CLI/CLI.hpp>
#include <memory>

#include "lib/error.hpp"
#include "verifier/command.hpp"
#include "verifier/explain_worst.hpp"
#include "verifier/output.hpp"
#include "verifier/verify.hpp"

namespace lastbit::commands {
namespace {

std::set<std::string> parse_forms(const std::string& text) {
  std::set<std::string> forms;
  std::string word;
  for (const char c : text + ",") {
    if (c != ',') { word += c; continue; }
    if (word != "integer" && word != "float" && word != "exact") throw Error("--forms", "found \"" + word + "\", expected integer, float, exact, comma separated");
    forms.insert(word);
    word.clear();
  }
  return forms;
}

std::function<int()> set_up(CLI::App& app, const Invocation& invocation) {
  struct Options {
    VerifyOptions verify;
    OutputOptions output;
    std::string forms = "integer,float,exact", positions;
  };
  auto o = std::make_shared<Options>();
  app.add_option("dump", o->verify.dumps, "dumps: directories with a manifest.json")->required();
  app.add_option("--profile", o->verify.profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
  app.add_option("--layer", o->verify.layer_glob, "only layers whose name matches this glob");
  app.add_option("--positions", o->positions, "only layers at positions FIRST:END of a dump, the first is 0: a shard");
  app.add_option("--forms", o->forms, "which of integer, float, exact (default all)");
  app.add_flag("--chained", o->verify.chained, "also run the network through the reference's own tensors");
  app.add_flag("!--no-causes", o->verify.causes, "only compare: name no cause of what differs (it counts as unexplained), look for no other profiles");
  app.add_flag("!--no-evidence", o->verify.evidence, "do not look which other profiles an identical layer would fit, too");
  app.add_flag("!--no-events", o->verify.events, "do not count ties, clamps and their like in layers that agree");
  app.add_flag("--timings", o->verify.timings, "times and kernels, a line per layer");
  app.add_option("-j,--jobs", o->verify.jobs, "threads (default: all cores)");
  add_output_options(app, o->output);
  return [o, invocation] {
    o->verify.forms = parse_forms(o->forms);
    o->verify.version = invocation.version;
    if (!o->positions.empty()) o->verify.positions = LayerRange::parse(o->positions, "--positions");
    Progress progress("verify");
    o->verify.progress = [&](std::size_t done, std::size_t of) { progress(done, of); };
    Report report = verify_dumps(o->verify);
    progress.finish();
    if (shows_explanations(o->output)) explain_worst(report, o->verify.profile);
    write_report(report, o->output);
    return report.exit_status();
  };
}

}  // namespace

Command verify() { return {"verify", "recompute every layer, diff, name the causes", set_up}; }

}  // namespace lastbit::commands
