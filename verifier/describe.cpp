// describe.cpp: from CLI11's definitions to plain values.
#include "verifier/describe.hpp"

#include <CLI/CLI.hpp>

namespace lastbit {
namespace {

// CLI11 spells a set of allowed values as "TEXT:{a,b}".
void split_type(const std::string& type, DescribedOption& d) {
  const std::size_t brace = type.find(":{");
  d.value = type.substr(0, brace);
  if (brace == std::string::npos) return;
  std::string word;
  for (const char c : type.substr(brace + 2)) {
    if (c != ',' && c != '}') { word += c; continue; }
    d.choices.push_back(word);
    word.clear();
    if (c == '}') break;
  }
}

DescribedOption described(const CLI::Option& o) {
  DescribedOption d;
  d.argument = o.get_positional();
  if (d.argument) d.names = {o.get_name(true)};
  for (const std::string& name : o.get_snames()) d.names.push_back("-" + name);
  for (const std::string& name : o.get_lnames()) d.names.push_back("--" + name);
  d.about = o.get_description();
  d.required = o.get_required();
  d.several = o.get_expected_max() > 1;
  if (o.get_items_expected_max() > 0) split_type(o.get_type_name(), d);
  return d;
}

}  // namespace

DescribedCommand described(const CLI::App& app) {
  DescribedCommand d{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* o : app.get_options()) d.options.push_back(described(*o));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) d.commands.push_back(described(*sub));
  return d;
}

}  // namespace lastbit
