// causes.hpp: what naming a cause costs: a layer with a planted fault verified without and with causes.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/cause_layers.hpp"
#include "lib/dump/write.hpp"
#include "verifier/verify.hpp"

namespace lastbit::bench {

/// Milliseconds that verify takes, best of `turns`, and the causes it names first.
inline std::pair<double, std::vector<std::string>> verified(const std::string& path, bool causes, int turns) {
  VerifyOptions o;
  o.dumps = {path}, o.forms = {"integer"}, o.causes = causes, o.jobs = 1;
  double best = 1e9;
  std::vector<std::string> named;
  for (int turn = 0; turn < turns; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    const Report r = verify_dumps(o);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    named.clear();
    if (const auto& all = r.layers[0].causes; !all.empty()) named = all[0].group, named.insert(named.begin(), all[0].name);
  }
  return {best, named};
}

/// A table: what verify takes of a layer with a fault when it only compares, and when it names the cause. Returns whether the names are right.
inline bool causes_table(const std::vector<CausesLayer>& layers) {
  std::string name = (std::filesystem::temp_directory_path() / "lastbit-bench-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("found no temporary folder, expected one");
  const std::filesystem::path folder = name;
  std::printf("\n%-28s %-17s %-30s %12s %12s %8s\n", "layer", "profile", "fault", "compared ms", "named ms", "ratio");
  bool right = true;
  double worst = 0, logarithms = 0;
  int rows = 0;
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
      Cell cell = own;
      fault.cell(cell);
      auto y = output(cell);
      fault.values(y);
      if (y == clean) throw std::runtime_error(from.name + ", " + from.profile + ": " + fault.name + " changes nothing, expected a fault that reaches the output");
      Layer faulty = l;
      const Tensor& as = l.out("y");
      faulty.outputs.insert_or_assign("y", Tensor::of_integers("y", as.dtype, as.shape, as.q, y));
      dump.layers = {std::move(faulty)};
      const std::string path = (folder / std::to_string(rows++)).string();
      write_dump(path, dump);
      const double compared = verified(path, false, 3).first;
      const auto [ms, named] = verified(path, true, 3);
      const bool good = fault.name.empty() ? named.empty() : std::find(named.begin(), named.end(), fault.name) != named.end();
      right = right && good;
      const double ratio = ms / compared;
      worst = std::max(worst, ratio), logarithms += std::log(ratio);
      std::printf("%-28s %-17s %-30s %12.1f %12.1f %8.1f%s\n", from.name.c_str(), from.profile.c_str(), fault.name.empty() ? "1 in 97 flipped" : fault.name.c_str(), compared, ms, ratio,
                  good ? "" : ("  named " + (named.empty() ? "none" : named[0])).c_str());
      std::fflush(stdout);
      std::filesystem::remove_all(path);
    }
  }
  std::printf("worst ratio %.1f, geometric mean %.1f of %d\n", worst, std::exp(logarithms / rows), rows);
  std::filesystem::remove_all(folder);
  return right;
}

}  // namespace lastbit::bench
