// dumps.hpp: whole dumps verified in this process, again and again: opened, mapped, weights packed, compared, the report written as JSON.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "lib/dump/dump.hpp"
#include "reports/report.hpp"
#include "verifier/parallel.hpp"
#include "verifier/verify.hpp"

namespace lastbit::bench {

/// Milliseconds of what `work` does.
template <class Work>
double milliseconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

inline double middle(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// From the manifest to the report's bytes; returns the number of mismatches. Nothing is left of it for the next one but a process that has
/// started, its code, and memory that it has touched.
inline std::int64_t shot(const VerifyOptions& options) {
  const Report report = verify_dumps(options);
  std::int64_t mismatches = find_format("json").render(report, {}).empty();
  for (const auto& layer : report.layers) mismatches += layer.mismatches;
  return mismatches;
}

/// Times a dump in turns, and prints a line "NAME MEDIAN FASTEST" (milliseconds of one dump) for each of
///   one        a shot of one thread
///   together   a shot of `jobs` threads
///   apart      as many shots of one thread at the same time, divided by their number: what the machine's cores give together
///   open       the manifest read and checked, of a shot
///   report     the report rendered, of a shot
/// The first round, in a process that has touched nothing yet, does not count. Returns whether every element agrees.
inline bool time_dump(const std::string& path, int rounds, unsigned jobs, bool all_forms) {
  VerifyOptions alone;
  alone.dumps = {path}, alone.evidence = false, alone.events = all_forms, alone.jobs = 1;
  if (!all_forms) alone.forms = {"integer"};
  VerifyOptions together = alone;
  together.jobs = jobs;
  const Report report = verify_dumps(alone);
  std::map<std::string, std::vector<double>> times;
  std::vector<std::int64_t> mismatches(jobs + 2);
  for (int round = 0; round <= rounds; ++round) {
    std::map<std::string, double> now;
    now["one"] = milliseconds([&] { mismatches[0] += shot(alone); });
    now["together"] = milliseconds([&] { mismatches[1] += shot(together); });
    now["apart"] = milliseconds([&] { parallel(jobs, jobs, [&](std::size_t i) { mismatches[i + 2] += shot(alone); }, {}); }) / jobs;
    now["open"] = milliseconds([&] { Dump::open(path); });
    now["report"] = milliseconds([&] { find_format("json").render(report, {}); });
    if (round > 0)
      for (const auto& [name, ms] : now) times[name].push_back(ms);
  }
  for (const auto& [name, all] : times) std::printf("%s %.3f %.3f\n", name.c_str(), middle(all), *std::min_element(all.begin(), all.end()));
  return std::all_of(mismatches.begin(), mismatches.end(), [](std::int64_t n) { return n == 0; });
}

}  // namespace lastbit::bench
