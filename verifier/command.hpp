// command.hpp: one file under verifier/commands = one command of the program.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lastbit {

/// Shared by all commands: the argument list as given (for reports) and the program's version.
struct Invocation {
  std::vector<std::string> arguments;
  std::string version;
};

struct Command {
  std::string name, about;
  /// Adds options to the subcommand and returns what to run after parsing: the exit status.
  std::function<int()> (*set_up)(CLI::App&, const Invocation&);
  bool describes_all = false;  // it speaks of all commands' options, so all are set up
};

const std::vector<Command>& all_commands();

}  // namespace lastbit
