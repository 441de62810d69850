// describe.hpp: the program described from its own definitions: what a man page and shell completions are written from.
#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lastbit {

/// An option, or an argument that stands alone.
struct DescribedOption {
  std::vector<std::string> names;   // "--layer", "-j"; for an argument its name alone
  std::string value;                // "TEXT", "NAME[=PATH]"; empty: a flag
  std::string about;
  std::vector<std::string> choices; // if only some values are allowed
  bool argument = false, required = false, several = false;
};

struct DescribedCommand {
  std::string name, about;
  std::vector<DescribedOption> options;
  std::vector<DescribedCommand> commands;
};

/// `app` and what is below it, in the order of their definition.
DescribedCommand described(const CLI::App& app);

/// troff with the man macros, section 1.
std::string man_page(const DescribedCommand& program, const std::string& version);
/// A completion script for bash, zsh or fish. Throws Error for another shell.
std::string completion(const DescribedCommand& program, const std::string& shell);

}  // namespace lastbit
