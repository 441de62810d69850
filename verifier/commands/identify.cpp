// identify: which profile is this? All profiles and variants ranked by what they reproduce of a dump, or of a device's answers to
// a suite of golden vectors.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "golden/folder.hpp"
#include "golden/matrix.hpp"
#include "golden/observed.hpp"
#include "verifier/command.hpp"
#include "verifier/identify.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    std::vector<std::string> dumps;
    std::string layer, format = "text";
    unsigned jobs = 0;
  };
  auto o = std::make_shared<Options>();
  app.add_option("dump", o->dumps, "dumps of one runtime; or SUITE OBSERVED: a golden suite, and what a device gave for it (as golden check takes it)")->required();
  app.add_option("--layer", o->layer, "only layers whose name matches this glob");
  app.add_option("-j,--jobs", o->jobs, "threads (default: all cores)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o] {
    std::optional<PassingFolder> answers;
    if (o->dumps.size() == 2 && is_suite(o->dumps[0]) && !is_suite(o->dumps[1])) {
      const SuiteRead suite = read_suite(o->dumps[0]);
      answers.emplace();
      const std::string dump = (answers->path / "answers").string();
      write_cases(dump, suite.label, suite.producer, with_observed(suite, read_observed(suite, o->dumps[1], "auto")));
      o->dumps = {dump};
    }
    Progress progress("identify");
    const Identification r = identify(o->dumps, o->layer, o->jobs, [&](std::size_t done, std::size_t of) { progress(done, of); });
    progress.finish();
    write_stdout(o->format == "json" ? to_json(r) : to_text(r));
    if (r.profiles.empty() || r.profiles[0].elements == 0) return 5;
    return r.profiles[0].mismatches ? 1 : 0;
  };
}

}  // namespace

Command identify() { return {"identify", "rank all profiles by what they reproduce of a dump", set_up}; }

}  // namespace lastbit::commands
