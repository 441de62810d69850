// completion.cpp: completion scripts for bash, zsh and fish.
#include "lib/error.hpp"
#include "verifier/describe.hpp"

namespace lastbit {
namespace {

std::string join(const std::vector<std::string>& words, const std::string& between = " ") {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::vector<std::string> names_of(const std::vector<DescribedCommand>& commands) {
  std::vector<std::string> names;
  for (const DescribedCommand& c : commands) names.push_back(c.name);
  return names;
}

// bash: the path of commands so far ("/baseline/update") selects the words.
struct Bash {
  std::string paths, values, words;

  void add(const DescribedCommand& c, const std::string& path) {
    std::vector<std::string> options, others = names_of(c.commands);
    for (const DescribedOption& o : c.options) {
      if (o.argument) others.insert(others.end(), o.choices.begin(), o.choices.end());
      else options.insert(options.end(), o.names.begin(), o.names.end());
      if (o.argument || o.value.empty()) continue;
      for (const std::string& name : o.names) values += "    '" + path + " " + name + "') words='" + join(o.choices) + "' ;;\n";
    }
    words += "      '" + path + "') options='" + join(options) + "' words='" + join(others) + "' ;;\n";
    for (const DescribedCommand& sub : c.commands) {
      paths += "      " + path + "/" + sub.name + ") path=" + path + "/" + sub.name + " ;;\n";
      add(sub, path + "/" + sub.name);
    }
  }
};

std::string bash(const DescribedCommand& program) {
  Bash b;
  b.add(program, "");
  return "# bash completion for lastbit; written by `lastbit completion bash`\n_lastbit() {\n"
         "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" path='' options='' words='' i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$path/${COMP_WORDS[i]}\" in\n" + b.paths + "    esac\n  done\n"
         "  COMPREPLY=()\n  case \"$path $prev\" in\n" + b.values +
         "    *)\n      case \"$path\" in\n" + b.words + "      esac\n      [[ \"$cur\" == -* ]] && words=\"$options\" ;;\n  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o default -F _lastbit lastbit\n";
}

// zsh: one function a command; _arguments wants no bracket and no colon in an explanation.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '[' || c == '{' ? '(' : c == ']' || c == '}' ? ')' : c == ':' ? ',' : c;
  return out;
}

std::string zsh_action(const DescribedOption& o) { return o.choices.empty() ? "_files" : "(" + join(o.choices) + ")"; }

std::string zsh_function(const DescribedCommand& c, const std::string& function) {
  std::string below, out = function + "() {\n  _arguments -s";
  for (const DescribedOption& o : c.options) {
    if (o.argument) {
      out += " \\\n    " + single_quoted(std::string(o.several ? "*" : "") + ":" + zsh_text(o.names[0]) + ":" + zsh_action(o));
      continue;
    }
    for (const std::string& name : o.names)
      out += " \\\n    " + single_quoted((o.several ? "*" : "") + name + "[" + zsh_text(o.about) + "]" + (o.value.empty() ? "" : ":" + zsh_text(o.value) + ":" + zsh_action(o)));
  }
  if (c.commands.empty()) return out + "\n}\n";
  std::vector<std::string> entries;
  std::string cases;
  for (const DescribedCommand& sub : c.commands) {
    entries.push_back(single_quoted(sub.name + ":" + zsh_text(sub.about)));
    cases += "    " + sub.name + ") " + function + "_" + sub.name + " ;;\n";
    below += zsh_function(sub, function + "_" + sub.name);
  }
  return below + out + " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n  command)\n    local -a commands=(" + join(entries, "\n      ") +
         ")\n    _describe command commands ;;\n  argument)\n    case $words[1] in\n" + cases + "    esac ;;\n  esac\n}\n";
}

std::string zsh(const DescribedCommand& program) {
  return "#compdef lastbit\n# zsh completion for lastbit; written by `lastbit completion zsh`\n" + zsh_function(program, "_lastbit") + "_lastbit \"$@\"\n";
}

std::string fish_command(const DescribedCommand& c, const std::string& where) {
  std::string out;
  for (const DescribedOption& o : c.options) {
    std::string line = "complete -c lastbit" + where;
    if (o.argument) {
      if (!o.choices.empty()) out += line + " -a " + single_quoted(join(o.choices)) + "\n";
      continue;
    }
    for (const std::string& name : o.names) line += name.compare(0, 2, "--") == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (!o.value.empty()) line += o.choices.empty() ? " -r" : " -x -a " + single_quoted(join(o.choices));
    out += line + " -d " + single_quoted(o.about) + "\n";
  }
  for (const DescribedCommand& sub : c.commands) {
    const std::string none = where.empty() ? " -n '__fish_use_subcommand'" : " -n '__fish_seen_subcommand_from " + c.name + "; and not __fish_seen_subcommand_from " + join(names_of(c.commands)) + "'";
    out += "complete -c lastbit" + none + " -a " + sub.name + " -d " + single_quoted(sub.about) + "\n";
    out += fish_command(sub, " -n '__fish_seen_subcommand_from " + sub.name + "'");
  }
  return out;
}

}  // namespace

std::string completion(const DescribedCommand& program, const std::string& shell) {
  if (shell == "bash") return bash(program);
  if (shell == "zsh") return zsh(program);
  if (shell == "fish") return "# fish completion for lastbit; written by `lastbit completion fish`\n" + fish_command(program, "");
  throw Error("completion", "found \"" + shell + "\", expected bash, zsh or fish");
}

}  // namespace lastbit
