// lastbit_bench: how fast accumulation is, against the plain loop that judges it, in one run. Ratios, not promises: nothing is
// asserted on time, but every fast result is compared with the plain one.
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "lib/kernels/accumulate.hpp"

using namespace lastbit;

namespace {

struct Problem {
  const char* name;
  Geometry g;
};

Geometry conv(std::int64_t channels, std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t groups) {
  Geometry g;
  g.groups = groups;
  g.in_channels = channels / groups;
  g.out_channels = out / groups;
  g.in = {1, size, size};
  g.out = g.in;
  g.kernel = {1, kernel, kernel};
  g.begin = {0, (kernel - 1) / 2, (kernel - 1) / 2};
  return g;
}
Geometry matmul(std::int64_t rows, std::int64_t k, std::int64_t columns) {
  Geometry g;
  g.batch = rows;
  g.in_channels = k;
  g.out_channels = columns;
  return g;
}

double seconds(const std::function<void()>& work) {
  using clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int round = 0; round < 3; ++round) {
    const auto start = clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(clock::now() - start).count());
  }
  return best;
}

}  // namespace

int main() {
  const Problem problems[] = {{"conv 3x3 56x56x64", conv(64, 64, 56, 3, 1)}, {"conv 3x3 14x14x256", conv(256, 256, 14, 3, 1)}, {"conv 1x1 7x7 512->2048", conv(512, 2048, 7, 1, 1)},
                              {"depthwise 3x3 112x112x32", conv(32, 32, 112, 3, 32)}, {"matmul 256x1024x256", matmul(256, 1024, 256)}};
  std::printf("%-28s %-8s %10s %10s %8s\n", "layer", "kernel", "GOP/s", "plain", "ratio");
  int status = 0;
  for (const auto& p : problems) {
    const Geometry& g = p.g;
    std::uint64_t state = 0x9E3779B97F4A7C15u;
    const auto next = [&] { state ^= state << 13, state ^= state >> 7, state ^= state << 17; return state >> 40; };
    std::vector<std::int32_t> x(static_cast<std::size_t>(g.batch * g.groups * g.in_channels * g.in_positions())), w(static_cast<std::size_t>(g.groups * g.out_channels * g.terms()));
    for (auto& v : x) v = static_cast<std::int32_t>(next() % 256);
    for (auto& v : w) v = static_cast<std::int32_t>(next() % 256) - 128;
    const std::vector<std::int64_t> zero{3};
    const Operands in{x, w, 117, zero};
    std::string kernel;
    std::vector<std::int64_t> fast, plain;
    const double operations = 2.0 * static_cast<double>(g.batch * g.groups * g.out_channels * g.positions() * g.terms());
    const double t = seconds([&] { fast = accumulate(g, in, kernel); }), u = seconds([&] { plain = accumulate_plain(g, in); });
    std::printf("%-28s %-8s %10.2f %10.2f %8.1f%s\n", p.name, kernel.c_str(), operations / t / 1e9, operations / u / 1e9, u / t, fast == plain ? "" : "  DIFFERENT");
    if (fast != plain) status = 1;
  }
  return status;
}
