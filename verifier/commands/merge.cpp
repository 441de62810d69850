// merge: the reports of several dumps or shards as one.
#include <CLI/CLI.hpp>
#include <memory>

#include "reports/from_json.hpp"
#include "reports/merge.hpp"
#include "verifier/command.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    std::vector<std::string> paths;
    OutputOptions output;
  };
  auto o = std::make_shared<Options>();
  app.add_option("results", o->paths, "reports made with --format json, in any order")->required();
  add_output_options(app, o->output);
  return [o] {
    if (o->output.formats.empty()) o->output.formats = {"json"};
    std::vector<Part> parts;
    for (const std::string& path : o->paths) parts.push_back({report_from_json(read_file(path), path), path});
    const Report whole = merged(parts);
    write_report(whole, o->output);
    return whole.exit_status();
  };
}

}  // namespace

Command merge() { return {"merge", "several JSON reports as one, in any order", set_up}; }

}  // namespace lastbit::commands
