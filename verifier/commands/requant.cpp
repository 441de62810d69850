// requant: one accumulator under every rule.
#include <CLI/CLI.hpp>
#include <memory>

#include "verifier/command.hpp"
#include "verifier/output.hpp"
#include "verifier/requant.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    RequantOptions requant;
    std::string format = "text";
  };
  auto o = std::make_shared<Options>();
  app.add_option("--acc", o->requant.acc, "the accumulator, an integer bias included")->required();
  app.add_option("--scale-in", o->requant.scale_in, "scale of the input")->required();
  app.add_option("--scale-weight", o->requant.scale_weight, "scale of the weight")->required();
  app.add_option("--scale-out", o->requant.scale_out, "scale of the output")->required();
  app.add_option("--zero-point", o->requant.zero_point, "zero point of the output (0)");
  app.add_option("--dtype", o->requant.dtype, "type of the output (int8)");
  app.add_option("--bias", o->requant.bias, "a float32 bias in real units, added as each rule adds one (none)");
  app.add_option("--min", o->requant.min, "lower bound of a fused activation, in stored integers (the type's)");
  app.add_option("--max", o->requant.max, "upper bound of a fused activation, in stored integers (the type's)");
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [o] {
    const RequantTable t = requant(o->requant);
    write_stdout(o->format == "json" ? to_json(t, o->requant) : to_text(t, o->requant));
    return 0;
  };
}

}  // namespace

Command requant() { return {"requant", "one accumulator under every rule", set_up}; }

}  // namespace lastbit::commands
