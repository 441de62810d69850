// report: a JSON report in another format, later or elsewhere. The exit status is that of the run it came from.
#include <CLI/CLI.hpp>
#include <memory>

#include "reports/from_json.hpp"
#include "verifier/command.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  struct Options {
    std::string path;
    OutputOptions output;
  };
  auto o = std::make_shared<Options>();
  app.add_option("result", o->path, "a report made with --format json; - is stdin")->required();
  add_output_options(app, o->output);
  return [o] {
    const Report report = report_from_json(read_file(o->path), o->path);
    write_report(report, o->output);
    return report.exit_status();
  };
}

}  // namespace

Command report() { return {"report", "render a JSON report in another format", set_up}; }

}  // namespace lastbit::commands
