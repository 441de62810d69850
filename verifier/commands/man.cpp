// man: the manual page, from the program's own definitions.
#include <CLI/CLI.hpp>

#include "verifier/command.hpp"
#include "verifier/describe.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {

Command man() {
  return {"man", "the manual page: lastbit man | man -l -", [](CLI::App& app, const Invocation& invocation) -> std::function<int()> {
            return [version = invocation.version, &app] {
              write_stdout(man_page(described(*app.get_parent()), version));
              return 0;
            };
          }, true};
}

}  // namespace lastbit::commands
