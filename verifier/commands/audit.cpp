// audit: overflow and saturation, observed and worst case.
#include <CLI/CLI.hpp>
#include <memory>

#include "verifier/audit.hpp"
#include "verifier/command.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation& invocation) {
  struct Options {
    AuditOptions audit;
    std::string pairs, format = "text";
  };
  auto o = std::make_shared<Options>();
  app.add_option("dump", o->audit.verify.dumps, "dumps")->required();
  app.add_option("--profile", o->audit.verify.profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
  app.add_option("--layer", o->audit.verify.layer_glob, "only layers whose name matches this glob");
  app.add_option("--acc", o->audit.acc, "registers of so many bits: headroom and cost")->check(CLI::Range(2, 63));
  app.add_option("--overflow", o->audit.overflow, "what the --acc register does: wrap or saturate")->check(CLI::IsMember({"wrap", "saturate"}));
  app.add_option("--pairs", o->pairs, "int16: the cost of pairs of products saturating, in the profile's own order")->check(CLI::IsMember({"int16"}));
  app.add_option("--isa", o->audit.pairs_isa, "the instruction set of those pairs, without VNNI (avx2)")->check(CLI::IsMember({"avx512", "avx2", "avx", "sse4.1"}));
  app.add_option("--witness", o->audit.witness, "write an input that reaches the worst case, a dump a layer, under this directory");
  app.add_option("--fail-on", o->audit.fail_on, "exit 1 on wrap, saturate or possible")->check(CLI::IsMember({"wrap", "saturate", "possible"}));
  app.add_option("-j,--jobs", o->audit.verify.jobs, "threads (default: all cores)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o, invocation] {
    o->audit.verify.version = invocation.version;
    o->audit.verify.command = invocation.arguments;
    o->audit.pairs = !o->pairs.empty();
    Progress progress("audit");
    o->audit.verify.progress = [&](std::size_t done, std::size_t of) { progress(done, of); };
    const Audit a = audit(o->audit);
    progress.finish();
    write_stdout(o->format == "json" ? to_json(a) : to_text(a, o->audit));
    return a.status;
  };
}

}  // namespace

Command audit() { return {"audit", "overflow and saturation, observed and worst case", set_up}; }

}  // namespace lastbit::commands
