// diff: two dumps of the same model.
#include <CLI/CLI.hpp>
#include <memory>

#include "verifier/command.hpp"
#include "verifier/diff.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    std::string a, b, format = "text";
    VerifyOptions verify;
  };
  auto o = std::make_shared<Options>();
  app.add_option("a", o->a, "a dump: its arithmetic is the one to compare with")->required();
  app.add_option("b", o->b, "another dump of the same model")->required();
  app.add_option("--profile", o->verify.profile, "A's arithmetic: NAME, NAME@isa or FILE.json");
  app.add_option("--layer", o->verify.layer_glob, "only layers whose name matches this glob");
  app.add_option("-j,--jobs", o->verify.jobs, "threads (default: all cores)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o] {
    o->verify.forms = {"integer"};
    const Diff d = diff(o->a, o->b, o->verify);
    write_stdout(o->format == "json" ? to_json(d) : to_text(d));
    return d.exit_status();
  };
}

}  // namespace

Command diff() { return {"diff", "two dumps of one model: first divergence, causes", set_up}; }

}  // namespace lastbit::commands
