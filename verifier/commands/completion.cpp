// completion: the completion script of a shell, from the program's own definitions.
#include <CLI/CLI.hpp>
#include <memory>

#include "verifier/command.hpp"
#include "verifier/describe.hpp"
#include "verifier/output.hpp"

namespace lastbit::commands {

Command completion() {
  return {"completion", "the completion script of a shell: source <(lastbit completion bash)", [](CLI::App& app, const Invocation&) -> std::function<int()> {
            const auto shell = std::make_shared<std::string>();
            app.add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
            return [shell, &app] {
              write_stdout(lastbit::completion(described(*app.get_parent()), *shell));
              return 0;
            };
          }, true};
}

}  // namespace lastbit::commands
