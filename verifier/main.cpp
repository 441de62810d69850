// main.cpp: the program. A command is a file under verifier/commands; this one parses, runs it, and turns what is thrown into
// one line and an exit status: 2 for unusable input or usage, 3 for a mistake of our own.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>

#include "lib/error.hpp"
#include "verifier/command.hpp"

namespace {

int complain(const std::string& what, int status) {
  std::cerr << "lastbit: " << what << std::endl;
  return status;
}

int run(int argc, char** argv) {
  const lastbit::Invocation invocation{{argv + std::min(argc, 1), argv + argc}, LASTBIT_VERSION};
  CLI::App app("Every last bit of a quantized network, accounted for.", "lastbit");
  app.set_version_flag("--version", "lastbit " + invocation.version);
  app.require_subcommand(1);
  app.footer("Exit status: 0 identical, 1 different, 2 unusable input or usage, 3 internal error, 5 nothing was compared.");

  // A command that no argument names is not run: its options are made where all are described.
  const auto& words = invocation.arguments;
  const auto named = [&](const lastbit::Command& command) { return std::find(words.begin(), words.end(), command.name) != words.end(); };
  const bool all = std::any_of(lastbit::all_commands().begin(), lastbit::all_commands().end(), [&](const lastbit::Command& command) { return command.describes_all && named(command); });
  std::vector<std::pair<CLI::App*, std::function<int()>>> commands;
  for (const lastbit::Command& command : lastbit::all_commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.about);
    if (all || named(command)) commands.push_back({sub, command.set_up(*sub, invocation)});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::string command = "lastbit";
    for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
    return complain(std::string(e.what()) + "; see " + command + " --help", 2);
  }
  for (const auto& [sub, work] : commands)
    if (sub->parsed()) return work();
  throw lastbit::InternalError("no command was chosen");
}

}  // namespace

int main(int argc, char** argv) {
  // A layer's arrays are as large as the next one's: memory that was given back is kept, since fresh pages cost more than the arithmetic.
  // A heap grows by 8 MiB of addresses: every time that one thread's does, the others wait.
  mallopt(M_MMAP_THRESHOLD, 1 << 26);
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
  mallopt(M_TOP_PAD, 1 << 23);
  try {
    return run(argc, argv);
  } catch (const lastbit::Error& e) {
    return complain(e.what(), 2);
  } catch (const std::exception& e) {
    return complain(std::string("internal error: ") + e.what(), 3);
  } catch (...) {
    return complain("internal error", 3);
  }
}
