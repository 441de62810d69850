// causes.hpp: what naming a cause costs: a layer with a planted fault verified without and with causes.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/cause_layers.hpp"
#include "lib/dump/write.hpp"
#include "verifier/verify.hpp"

namespace lastbit::bench {

/// Milliseconds that verify takes by these forms (none named: its own), best of `turns`, and the causes it names first.
inline std::pair<double, std::vector<std::string>> verified(const std::string& path, const std::set<std::string>& forms, bool causes, int turns) {
  VerifyOptions o;
  o.dumps = {path}, o.causes = causes, o.jobs = 1;
  if (!forms.empty()) o.forms = forms;
  double best = 1e9, total = 0;
  constexpr double enough = 60;  // ms; what takes less is timed more often
  std::vector<std::string> named;
  for (int turn = 0; turn < turns || (turn < 4 * turns && total < enough); ++turn) {
    const auto start = std::chrono::steady_clock::now();
    const Report r = verify_dumps(o);
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, ms), total += ms;
    named.clear();
    if (const auto& all = r.layers[0].causes; !all.empty()) named = all[0].group, named.insert(named.begin(), all[0].name);
  }
  return {best, named};
}

/// Ratios of many rows.
struct Ratios {
  double worst = 0, logarithms = 0;
  int rows = 0;
  void add(double ratio) { worst = std::max(worst, ratio), logarithms += std::log(ratio), ++rows; }
  std::string text() const {
    char line[80];
    std::snprintf(line, sizeof line, "worst ratio %.1f, geometric mean %.1f of %d", worst, std::exp(logarithms / std::max(rows, 1)), rows);
    return line;
  }
};

/// A table: what verify takes of a layer with a fault when it only compares, and when it names the cause: by the integer form alone, and by all
/// forms. Of rows alone that have `only` in their names. Returns whether the causes are right.
inline bool causes_table(const std::vector<CausesLayer>& layers, const std::string& only) {
  std::string name = (std::filesystem::temp_directory_path() / "lastbit-bench-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("found no temporary folder, expected one");
  const std::filesystem::path folder = name;
  std::printf("\n%-28s %-17s %-30s %28s %28s\n%-28s %-17s %-30s %10s %8s %8s %10s %8s %8s\n", "", "", "", "integer form", "integer, float, exact", "layer", "profile", "fault", "compared ms", "named ms", "ratio",
              "compared ms", "named ms", "ratio");
  bool right = true;
  Ratios integer, all_forms;
  int dumps = 0;
  for (const auto& from : layers) {
    DumpToWrite dump;
    dump.producer = producer_of(from.profile);
    dump.profile = from.profile;
    Layer l = from.layer;
    l.name = "layer";
    l.producer = dump.producer;
    const Operator& op = *find_operator(l.op);
    l.facts = common_facts(l);
    if (op.facts) op.facts(l, l.facts);
    const Cell own = *cell_for(find_profile(dump.profile), op, l);
    const auto output = [&](const Cell& cell) { return op.run(l, cell).outputs.at("y").q; };
    const auto clean = output(own);
    for (const auto& fault : planted_faults(l, own, clean, output)) {
      const std::string label = fault.name.empty() ? "1 in 97 flipped" : fault.name;
      if ((from.name + " " + from.profile + " " + label).find(only) == std::string::npos) continue;
      Cell cell = own;
      fault.cell(cell);
      auto y = output(cell);
      fault.values(y);
      if (y == clean) throw std::runtime_error(from.name + ", " + from.profile + ": " + fault.name + " changes nothing, expected a fault that reaches the output");
      Layer faulty = l;
      const Tensor& as = l.out("y");
      faulty.outputs.insert_or_assign("y", Tensor::of_integers("y", as.dtype, as.shape, as.q, y));
      dump.layers = {std::move(faulty)};
      const std::string path = (folder / std::to_string(dumps++)).string();
      write_dump(path, dump);
      bool good = true;
      const auto timed = [&](const std::set<std::string>& forms, Ratios& ratios) {
        const double compared = verified(path, forms, false, 3).first;
        const auto [ms, named] = verified(path, forms, true, 3);
        good = good && (fault.name.empty() ? named.empty() : std::find(named.begin(), named.end(), fault.name) != named.end());
        ratios.add(ms / compared);
        std::printf(" %11.1f %8.1f %8.1f", compared, ms, ms / compared);
        std::fflush(stdout);
      };
      std::printf("%-28s %-17s %-30s", from.name.c_str(), from.profile.c_str(), label.c_str());
      timed({"integer"}, integer);
      timed({}, all_forms);
      std::puts(good ? "" : "  NOT NAMED");
      right = right && good;
      std::filesystem::remove_all(path);
    }
  }
  std::printf("integer form: %s\nall forms: %s\n", integer.text().c_str(), all_forms.text().c_str());
  std::filesystem::remove_all(folder);
  return right;
}

}  // namespace lastbit::bench
