// identify: which profile is this? All profiles and variants ranked by what they reproduce.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

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
  app.add_option("dump", o->dumps, "dumps of one runtime")->required();
  app.add_option("--layer", o->layer, "only layers whose name matches this glob");
  app.add_option("-j,--jobs", o->jobs, "threads (default: all cores)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o] {
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
