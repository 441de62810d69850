// explain: one element, every number on the way, exact.
#include <CLI/CLI.hpp>
#include <memory>

#include "lib/error.hpp"
#include "verifier/command.hpp"
#include "verifier/explain.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    ExplainOptions explain;
    std::string format = "text";
  };
  auto o = std::make_shared<Options>();
  app.add_option("dump", o->explain.dump, "the dump")->required();
  app.add_option("layer", o->explain.layer, "the layer's name")->required();
  app.add_option("--at", o->explain.at, "index of the element in the stored array, comma separated; one number counts elements")->delimiter(',')->required();
  app.add_option("--output", o->explain.output, "which output (y)");
  app.add_option("--profile", o->explain.profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
  app.add_option("--products", o->explain.products, "how many products to show (12)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o] {
    const Explanation e = explain(o->explain);
    write_stdout(o->format == "json" ? to_json(e) : to_text(e));
    return 0;
  };
}

}  // namespace

Command explain() { return {"explain", "one element, every number on the way", set_up}; }

}  // namespace lastbit::commands
