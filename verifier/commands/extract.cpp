// extract: the smallest dump that still differs.
#include <CLI/CLI.hpp>
#include <memory>

#include "verifier/command.hpp"
#include "verifier/extract.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  auto o = std::make_shared<ExtractOptions>();
  app.add_option("dump", o->dump, "the dump")->required();
  app.add_option("layer", o->layer, "the layer's name")->required();
  app.add_option("out", o->out, "the directory to write, new or empty")->required();
  app.add_option("--profile", o->profile, "NAME, NAME@isa or FILE.json instead of what the dump says");
  return [o] {
    const Extraction x = extract(*o);
    std::string text = o->out + ": " + std::to_string(x.elements) + " elements, " + std::to_string(x.mismatches) + " differ\n";
    for (const auto& step : x.steps) text += "  cut to " + step + "\n";
    write_stdout(text + "repeat: " + x.command + "\n");
    return x.mismatches ? 1 : 0;
  };
}

}  // namespace

Command extract() { return {"extract", "write the smallest dump that still differs", set_up}; }

}  // namespace lastbit::commands
