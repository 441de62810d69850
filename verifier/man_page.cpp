// man_page.cpp: the manual page, in the macros of man(7).
#include "verifier/describe.hpp"

namespace lastbit {
namespace {

// Text of a line: no backslash, and no dot or quote that begins a request.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

std::string bold(const std::string& text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + plain(text) + "\\fR"; }

// "[--layer TEXT]", "DUMP..."
std::string usage(const DescribedOption& o) {
  std::string out = o.argument ? italic(o.names[0]) : bold(o.names.back()) + (o.value.empty() ? "" : " " + italic(o.value));
  if (o.argument && o.several) out += "...";
  return o.required ? out : "[" + out + "]";
}

std::string entry(const DescribedOption& o) {
  std::string names;
  for (const std::string& name : o.names) names += (names.empty() ? "" : ", ") + (o.argument ? italic(name) : bold(name));
  std::string about = o.about;
  if (!o.choices.empty()) {
    std::string all;
    for (const std::string& choice : o.choices) all += (all.empty() ? "" : ", ") + choice;
    if (about.find(all) == std::string::npos) about += (about.empty() ? "" : ": ") + all;
  }
  return ".TP\n" + names + (o.argument || o.value.empty() ? "" : " " + italic(o.value)) + "\n" + plain(about) + "\n";
}

std::string section(const DescribedCommand& c, const std::string& before) {
  const std::string name = before + " " + c.name;
  std::string out = ".SS " + plain(name.substr(name.find(' ') + 1)) + "\n" + plain(c.about) + ".\n.PP\n" + bold(name);
  for (const bool arguments : {false, true})
    for (const DescribedOption& o : c.options)
      if (o.argument == arguments && o.names.back() != "--help") out += " " + usage(o);
  if (!c.commands.empty()) out += " " + italic("command");
  out += "\n";
  for (const DescribedOption& o : c.options)
    if (o.names.back() != "--help") out += entry(o);
  for (const DescribedCommand& sub : c.commands) out += section(sub, name);
  return out;
}

}  // namespace

std::string man_page(const DescribedCommand& program, const std::string& version) {
  std::string out = ".\\\" Written by `lastbit man` from the program's own definitions.\n.TH LASTBIT 1 \"\" \"lastbit " + version + "\" \"User Commands\"\n";
  out += ".SH NAME\nlastbit \\- numerical verification of quantized neural networks\n";
  out += ".SH SYNOPSIS\n" + bold("lastbit") + " " + italic("command") + " [" + italic("options") + "] [" + italic("arguments") + "]\n";
  out += ".SH DESCRIPTION\n" + plain(program.about) +
         "\nIt recomputes every layer of a dump of a quantized runtime from its integers, scales and zero points, diffs the result with what the runtime\n"
         "dumped, and names the cause of every element that differs. A dump is a directory with a manifest.json and one array a tensor.\n";
  out += ".SH OPTIONS\n";
  for (const DescribedOption& o : program.options) out += entry(o);
  out += ".SH COMMANDS\n";
  for (const DescribedCommand& c : program.commands) out += section(c, "lastbit");
  out += ".SH EXIT STATUS\n";
  for (const auto& [status, meaning] : {std::pair{"0", "everything is identical, or inside the gate"}, {"1", "something differs"}, {"2", "unusable input or usage"},
                                        {"3", "internal error"}, {"5", "nothing was compared"}})
    out += ".TP\n" + bold(status) + "\n" + plain(meaning) + "\n";
  return out;
}

}  // namespace lastbit
