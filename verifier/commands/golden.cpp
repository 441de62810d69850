// golden: vectors with exact outputs for a kernel, firmware or RTL author, and the judgement of what came back. Generator, device
// and verifier are three programs, as in TestFloat: the middle may be anything.
#include "golden/generate.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "golden/check.hpp"
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/writer.hpp"
#include "lib/error.hpp"
#include "reports/words.hpp"
#include "verifier/command.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {
namespace {

struct Target {
  const Writer* writer;
  std::string path;
};

std::vector<Target> targets(const std::vector<std::string>& words) {
  std::vector<Target> all;
  int on_stdout = 0;
  for (const auto& word : words) {
    const auto at = word.find('=');
    const std::string path = at == std::string::npos ? "-" : word.substr(at + 1);
    if (path.empty()) throw Error("--emit " + word, "found an empty path, expected FORMAT=PATH");
    on_stdout += path == "-";
    all.push_back({&find_writer(word.substr(0, at)), path});
  }
  if (on_stdout > 1) throw Error("--emit", "found two forms for stdout, expected at most one");
  return all;
}

/// What stands on stdout (or on stderr, where stdout holds vectors).
std::string summary(const Vectors& v) {
  std::string s;
  for (const auto& line : header_lines(v))
    if (line.rfind("    ", 0) != 0 && line.rfind("  ", 0) != 0 && line.rfind("case ", 0) != 0) s += line + "\n";
  s += "rules, by the first element that shows them (counted over all cases):\n";
  for (std::size_t i = 0; i < v.matrix.rules.size(); ++i) {
    const auto& r = v.matrix.rules[i];
    if (r.differs && (i == 0 || v.matrix.rules[i - 1].name != r.name || v.matrix.rules[i - 1].kind != r.kind)) s += "  " + r.name + ": " + std::to_string(r.differs) + " elements, the first " + std::to_string(r.first) + "\n";
  }
  for (std::size_t k = 1; k < v.matrix.kinds.size(); ++k) {
    for (const auto& agreement : v.matrix.kinds[k].why) {
      std::vector<std::string> names;
      for (const auto r : agreement.rules)
        if (std::find(names.begin(), names.end(), v.matrix.rules[r].name) == names.end()) names.push_back(v.matrix.rules[r].name);
      if (names.size() > 1) s += "not told from each other: " + words::join(names, ", ") + " (" + agreement.reason + ")\n";
    }
  }
  return s;
}

void set_up_generate(CLI::App& app, std::function<int()>& run) {
  struct Options {
    VectorRequest request;
    std::vector<std::string> emit;
  };
  auto o = std::make_shared<Options>();
  const auto several = [&](const char* name, std::vector<std::string>& into, const char* about, const char* type) { app.add_option(name, into, about)->type_name(type)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll); };
  std::vector<std::string> suites, writers;
  for (const auto& s : all_suites()) suites.push_back(s.name);
  for (const auto& w : all_writers()) writers.push_back(w.name);
  app.add_option("--op", o->request.op, "operator (lastbit list operators)");
  app.add_option("--profile", o->request.profile, "NAME, NAME@isa or FILE.json: whose arithmetic");
  app.add_option("--suite", o->request.suite, words::join(suites, ", ") + " (random)");
  app.add_option("--like", o->request.like, "DUMP:LAYER: same shapes, weights, scales and attributes as a layer that exists");
  several("--shape", o->request.shapes, "8x16 (the first input) or weight=4x16; small ones are chosen otherwise", "[PORT=]DIMS");
  several("--set", o->request.attributes, "an attribute: stride=2, padding=1,1, activation=relu, activation=0:100", "KEY=VALUE");
  several("--dtype", o->request.dtypes, "type of a tensor: x=int16", "PORT=TYPE");
  several("--producer", o->request.producer, "what the manifest says of the runtime: version=2.13.0", "KEY=VALUE");
  app.add_option("--seed", o->request.seed, "other numbers (1)");
  app.add_option("--count", o->request.count, "samples: the extent of the first axis (candidates of discriminate, accumulators of exhaustive)");
  several("--emit", o->emit, (words::join(writers, ", ") + ", to a PATH or to - (stdout); may be repeated").c_str(), "FORMAT=PATH");
  app.parse_complete_callback([o, &run] {
    targets(o->emit);
    run = [o] {
      const Vectors v = generate(o->request);
      auto to = targets(o->emit);
      if (o->emit.empty()) to.push_back({&find_writer(line_rows(v).empty() ? "csv" : "line"), "-"});
      bool vectors_on_stdout = false;
      for (const auto& t : to) vectors_on_stdout = vectors_on_stdout || t.path == "-";
      for (const auto& t : to) t.writer->write(v, t.path);
      if (vectors_on_stdout) std::fputs(summary(v).c_str(), stderr);
      else write_stdout(summary(v));
      return 0;
    };
  });
}

void set_up_check(CLI::App& app, std::function<int()>& run) {
  struct Options {
    std::string suite, observed, form = "auto", format = "text";
    std::int64_t errors = 20;
  };
  auto o = std::make_shared<Options>();
  app.add_option("suite", o->suite, "what generate wrote: a dump, a folder with golden.json, or a file with its header")->required();
  app.add_option("observed", o->observed, "what the device gave: .npy, raw binary, lines of numbers, CSV, or - for stdin")->required();
  app.add_option("--errors", o->errors, "errors printed before it stops; 0: all (20)")->check(CLI::NonNegativeNumber);
  app.add_option("--as", o->form, "how observed is written: auto, npy, bin, hex, dec, csv")->check(CLI::IsMember({"auto", "npy", "bin", "hex", "dec", "csv"}));
  app.add_option("--format", o->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.parse_complete_callback([o, &run] {
    run = [o] {
      const SuiteRead suite = read_suite(o->suite);
      const GoldenCheck c = check_golden(suite, read_observed(suite, o->observed, o->form), o->errors);
      write_stdout(o->format == "json" ? to_json(c, suite) : to_text(c, suite));
      return c.exit_status();
    };
  });
}

std::function<int()> set_up(CLI::App& app, const Invocation&) {
  auto run = std::make_shared<std::function<int()>>();
  set_up_generate(*app.add_subcommand("generate", "inputs and exact outputs, with a proof of which rules they tell apart"), *run);
  set_up_check(*app.add_subcommand("check", "judge what a device gave for a suite"), *run);
  app.require_subcommand(1);
  return [run] { return (*run)(); };
}

}  // namespace

Command golden() { return {"golden", "golden vectors: generate them, check what a device gave", set_up}; }

}  // namespace lastbit::commands
