// lastbit_bench: how fast layers are accumulated, requantized and compared, per layer and form. Ratios, not promises: nothing is asserted
// on time, but every number that comes out is checked.
//   lastbit_bench                   a table
//   lastbit_bench --causes          what naming the cause of a planted fault costs, against comparing alone
//   lastbit_bench --check           correctness alone, on small layers of every kind: what CI runs
//   lastbit_bench --serve FOLDER    one timed slot per line "LAYER FORM" read, for bench/compare.py to run in turns with other engines
//   lastbit_bench --dump DUMP       a whole dump verified in one process, by one thread and by -j (2), --rounds (9) of them; --forms: all three
//                                   forms with events, else the integer form; for bench/models.py
//   --target NAME                   no better instruction set than this (avx2, sse4, ...)
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "bench/causes.hpp"
#include "bench/dumps.hpp"
#include "bench/forms.hpp"
#include "lib/kernels/target.hpp"

using namespace lastbit;
using namespace lastbit::bench;

namespace {

Subject subject(BenchLayer layer) {
  Subject s;
  s.layer = std::move(layer);
  s.epilogue.zero_point = 120;
  // Sums of K products spread by about sqrt(K) * 70 * 70: most results fall inside uint8.
  s.epilogue.multiplier = {static_cast<float>(1.0 / (100.0 * std::max(1.0, static_cast<double>(s.layer.g.terms()) * 0.6)))};
  s.y = requantized(s);
  turn(s);
  return s;
}

/// Sums against the plain loop, and a planted fault against the comparison. Returns whether both are right.
bool right(const BenchLayer& layer) {
  const Geometry& g = layer.g;
  std::vector<std::int32_t> x(layer.x.size()), w(layer.w.size());
  std::transform(layer.x.begin(), layer.x.end(), x.begin(), [](std::byte b) { return static_cast<std::int32_t>(b); });
  std::transform(layer.w.begin(), layer.w.end(), w.begin(), [](std::byte b) { return static_cast<std::int32_t>(static_cast<std::int8_t>(b)); });
  const Operands in{x, w, layer.x_zero_point, layer.w_zero_point};
  std::string kernel;
  bool good = accumulate(g, in, kernel) == accumulate_plain(g, in);
  Subject s = subject(layer);
  for (const std::string form : {"compare", "whole"}) good = timed(s, form, 0).mismatches == 0 && good;
  s.y[s.y.size() / 2] ^= std::byte{1};
  turn(s);
  for (const std::string form : {"compare", "whole"}) good = timed(s, form, 0).mismatches == 1 && good;
  std::printf("%-28s %-18s %s\n", layer.name.c_str(), kernel.c_str(), good ? "equal" : "DIFFERENT");
  return good;
}

int check() {
  bool good = true;
  for (const auto& target : supported_targets()) {
    limit_target(target);
    std::uint64_t seed = 1;
    for (const auto& [name, g] : {std::pair{"conv 3x3 17x17 16->40", conv(16, 40, 17, 3, 1)}, std::pair{"conv 3x3 14x14 32->64", conv(32, 64, 14, 3, 1)}, std::pair{"conv 1x1 7x7 64->80", conv(64, 80, 7, 1, 1)},
                                  std::pair{"conv 7x7 20x20 3->8", conv(3, 8, 20, 7, 1)}, std::pair{"depthwise 3x3 29x29x20", conv(20, 20, 29, 3, 20)}, std::pair{"depthwise 5x5 14x14x33", conv(33, 33, 14, 5, 33)},
                                  std::pair{"matmul 33x130x65", matmul(33, 130, 65)}, std::pair{"linear 1x300x100", matmul(1, 300, 100)}})
      good = right(layer(name, g, seed++)) && good;
  }
  limit_target("");
  std::puts(good ? "every layer equal on every instruction set" : "FAILED");
  return good ? 0 : 1;
}

int table() {
  std::printf("%-28s %-8s %-18s %10s %10s %10s\n", "layer", "form", "kernel", "GOP/s", "ms", "pack ms");
  std::int64_t mismatches = 0;
  for (auto& layer : timed_layers()) {
    const Subject s = subject(std::move(layer));
    for (const std::string form : forms) {
      Slot best = timed(s, form, 0.05);
      for (int round = 0; round < 4; ++round)
        if (const Slot slot = timed(s, form, 0.05); slot.seconds < best.seconds) best = slot;
      std::printf("%-28s %-8s %-18s %10.1f %10.3f %10.3f%s\n", s.layer.name.c_str(), form.c_str(), best.kernel.c_str(), s.layer.operations() / best.seconds / 1e9, best.seconds * 1e3, best.pack_seconds * 1e3,
                  best.mismatches ? "  DIFFERENT" : "");
      mismatches += best.mismatches;
    }
  }
  return mismatches ? 1 : 0;
}

Bytes bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": found no file, expected one that compare.py wrote");
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  Bytes v(all.size());
  std::memcpy(v.data(), all.data(), all.size());
  return v;
}

/// FOLDER/layers.txt: a line per layer: conv CHANNELS OUT SIZE KERNEL GROUPS, or matmul ROWS K COLUMNS; then the zero points of x and y.
/// Beside it N.x, N.w, N.y (bytes) and N.m (float32 multipliers, one or one a channel).
int serve(const std::string& folder) {
  std::ifstream lines(folder + "/layers.txt");
  std::vector<Subject> subjects;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::string kind;
    std::int64_t a = 0, b = 0, c = 0, k = 0, groups = 0;
    in >> kind >> a >> b >> c;
    Subject s;
    if (kind == "conv") in >> k >> groups, s.layer.g = conv(a, b, c, k, groups);
    else s.layer.g = matmul(a, b, c);
    in >> s.layer.x_zero_point >> s.epilogue.zero_point;
    const std::string base = folder + "/" + std::to_string(subjects.size());
    s.layer.name = line;
    s.layer.x = bytes(base + ".x");
    s.layer.w = bytes(base + ".w");
    s.y = bytes(base + ".y");
    const auto m = bytes(base + ".m");
    s.epilogue.multiplier.resize(m.size() / sizeof(float));
    std::memcpy(s.epilogue.multiplier.data(), m.data(), m.size());
    if (static_cast<std::int64_t>(s.y.size()) != s.layer.elements()) throw std::runtime_error(base + ".y: found another size than the layer's output");
    turn(s);
    subjects.push_back(std::move(s));
  }
  std::cout << "ready " << kernel_target().name << std::endl;
  std::size_t layer = 0;
  for (std::string form; std::cin >> layer >> form;) {
    const Slot slot = timed(subjects.at(layer), form, 0.02);
    std::cout << slot.seconds << ' ' << slot.pack_seconds << ' ' << slot.mismatches << ' ' << slot.kernel << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string mode, folder, only;
  int rounds = 9;
  unsigned jobs = 2;
  bool forms = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--check" || word == "--causes") mode = word;
    else if (word == "--only" && i + 1 < argc) only = argv[++i];
    else if ((word == "--serve" || word == "--dump") && i + 1 < argc) mode = word, folder = argv[++i];
    else if (word == "--rounds" && i + 1 < argc) rounds = std::stoi(argv[++i]);
    else if (word == "-j" && i + 1 < argc) jobs = static_cast<unsigned>(std::stoul(argv[++i]));
    else if (word == "--forms") forms = true;
    else if (word == "--target" && i + 1 < argc) {
      if (const std::string target = argv[++i]; !limit_target(target)) {
        std::fprintf(stderr, "lastbit_bench: --target: found \"%s\", expected an instruction set of this processor:", target.c_str());
        for (const auto& name : supported_targets()) std::fprintf(stderr, " %s", name.c_str());
        std::fputs("\n", stderr);
        return 2;
      }
    } else {
      std::fputs("usage: lastbit_bench [--check | --causes [--only TEXT] | --serve FOLDER | --dump DUMP [--forms] [-j THREADS] [--rounds N]] [--target NAME]\n", stderr);
      return word == "--help" ? 0 : 2;
    }
  }
  try {
    return mode == "--check" ? check() : mode == "--causes" ? (causes_table(causes_layers(), only) ? 0 : 1) : mode == "--serve" ? serve(folder) : mode == "--dump" ? (time_dump(folder, rounds, jobs, forms) ? 0 : 1) : table();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lastbit_bench: %s\n", e.what());
    return 2;
  }
}
