// causes.hpp: what naming a cause costs: a layer with a planted fault verified without and with causes.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/layers.hpp"
#include "lib/dump/write.hpp"
#include "verifier/verify.hpp"

namespace lastbit::bench {

/// A fault by what makes its output: another cell's arithmetic, or other values afterwards.
struct PlantedFault {
  std::string name;                                 // that the report must name first; empty: none
  std::function<void(Cell&)> cell = [](Cell&) {};
  std::function<void(std::vector<std::int32_t>&)> values = [](std::vector<std::int32_t>&) {};
};

/// Those of a layer that this cell computes. `changes`: whether a cell's output is another one.
inline std::vector<PlantedFault> planted_faults(const Cell& own, const std::function<bool(const Cell&)>& changes) {
  const auto stages = [](auto edit) {
    return [edit](Cell& c) { for (auto& s : c.stages) edit(s); };
  };
  const auto held = [](int bits) { return [bits](Cell& c) { c.stages.insert(c.stages.begin(), "register " + std::to_string(bits) + "-saturate"); }; };
  const bool paired = own.get("pairs", "none") != "none";
  int bits = 18;  // the widest register, from here on, that some sum does not fit
  for (Cell c = own; bits > 8; --bits, c = own) {
    held(bits)(c);
    if (changes(c)) break;
  }
  return {{"zero-point:stale", [](Cell&) {}, [](auto& y) { for (auto& v : y) v = std::min(v + 7, 255); }},
          {"round:floor", stages([](std::string& s) { if (s.rfind("round ", 0) == 0) s = "round floor exact"; })},
          {"accumulator:" + std::to_string(bits) + "-saturate", held(bits)},
          {paired ? "pairs:none" : "pairs:int16", [paired](Cell& c) { c.with["pairs"] = paired ? "none" : "int16"; }},
          {"", [](Cell&) {}, [](auto& y) { for (std::size_t i = 0; i < y.size(); i += 97) y[i] ^= 1; }}};
}

inline Quantization per_tensor(double scale, double zero_point, DType type) {
  Quantization q;
  q.scale = {scale}, q.zero_point = {zero_point}, q.qmin = info(type).min, q.qmax = info(type).max;
  return q;
}

/// A convolution or linear layer of these operands, its weight scaled per channel.
inline Layer quantized_layer(const BenchLayer& from) {
  const Geometry& g = from.g;
  const std::int64_t O = g.groups * g.out_channels, size = g.in[2], k = g.kernel[2];
  const bool linear = g.positions() == 1 && g.taps() == 1 && size == 1;
  Layer l;
  l.op = linear ? "linear" : "conv2d";
  std::vector<std::int32_t> x, w;
  for (const auto b : from.x) x.push_back(std::to_integer<std::int32_t>(b));
  for (const auto b : from.w) w.push_back(static_cast<std::int8_t>(b));
  const Shape xs = linear ? Shape{g.batch, g.in_channels} : Shape{g.batch, g.groups * g.in_channels, size, size};
  const Shape ws = linear ? Shape{O, g.in_channels} : Shape{O, g.in_channels, k, k}, ys = linear ? Shape{g.batch, O} : Shape{g.batch, O, g.out[1], g.out[2]};
  Quantization qw = per_tensor(0.01, 0, DType::int8);
  qw.axis = 0, qw.scale.clear(), qw.zero_point.assign(static_cast<std::size_t>(O), 0);
  std::vector<float> bias;
  for (std::int64_t o = 0; o < O; ++o) qw.scale.push_back(static_cast<float>(0.004 + 0.00001 * static_cast<double>(o % 97))), bias.push_back(static_cast<float>(o % 31) * 0.1f - 1.0f);
  l.inputs.emplace("x", Tensor::of_integers("x", DType::uint8, xs, per_tensor(static_cast<float>(0.02), static_cast<double>(from.x_zero_point), DType::uint8), x));
  l.inputs.emplace("weight", Tensor::of_integers("w", DType::int8, ws, qw, w));
  l.inputs.emplace("bias", Tensor::of_floats("b", {O}, bias));
  const float so = static_cast<float>(0.02 * 0.0045 * 100 * std::max(1.0, static_cast<double>(g.terms()) * 0.6) / 12);
  const std::vector<std::int32_t> none(static_cast<std::size_t>(from.elements()));
  l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, ys, per_tensor(so, 120, DType::uint8), none));
  l.attributes.values["activation"] = std::string("relu");
  if (!linear) l.attributes.values["groups"] = g.groups;
  if (!linear) l.attributes.values["padding"] = std::vector<std::int64_t>{g.begin[1], g.begin[2]};
  return l;
}

/// Milliseconds that verify takes, best of `turns`, and the cause it names first.
inline std::pair<double, std::string> verified(const std::string& path, bool causes, int turns) {
  VerifyOptions o;
  o.dumps = {path}, o.forms = {"integer"}, o.causes = causes, o.jobs = 1;
  double best = 1e9;
  std::string named;
  for (int turn = 0; turn < turns; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    const Report r = verify_dumps(o);
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    named = r.layers[0].causes.empty() ? "" : r.layers[0].causes[0].name;
  }
  return {best, named};
}

/// A table: what verify takes of a layer with a fault when it only compares, and when it names the cause. Returns whether the names are right.
inline bool causes_table(const std::vector<BenchLayer>& layers) {
  std::string name = (std::filesystem::temp_directory_path() / "lastbit-bench-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("found no temporary folder, expected one");
  const std::filesystem::path folder = name;
  std::printf("\n%-28s %-26s %12s %12s %8s\n", "layer", "fault", "compared ms", "named ms", "ratio");
  bool right = true;
  double worst = 0, logarithms = 0;
  int rows = 0;
  for (const auto& from : layers) {
    DumpToWrite dump;
    dump.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "fbgemm"}, {"isa", "avx512_vnni"}};
    dump.profile = "pytorch-fbgemm";
    Layer l = quantized_layer(from);
    l.name = "layer";
    l.producer = dump.producer;
    const Operator& op = *find_operator(l.op);
    l.facts = common_facts(l);
    if (op.facts) op.facts(l, l.facts);
    const Cell own = *cell_for(find_profile(dump.profile), op, l);
    const auto output = [&](const Cell& cell) { return op.run(l, cell).outputs.at("y").q; };
    const auto clean = output(own);
    for (const auto& fault : planted_faults(own, [&](const Cell& cell) { return output(cell) != clean; })) {
      Cell cell = own;
      fault.cell(cell);
      auto y = output(cell);
      fault.values(y);
      if (y == clean) throw std::runtime_error(from.name + ": " + fault.name + " changes nothing, expected a fault that reaches the output");
      Layer faulty = l;
      const Tensor& as = l.out("y");
      faulty.outputs.insert_or_assign("y", Tensor::of_integers("y", as.dtype, as.shape, as.q, y));
      dump.layers = {std::move(faulty)};
      const std::string path = (folder / std::to_string(rows++)).string();
      write_dump(path, dump);
      const double compared = verified(path, false, 3).first;
      const auto [ms, named] = verified(path, true, 3);
      const bool good = named == fault.name;
      right = right && good;
      const double ratio = ms / compared;
      worst = std::max(worst, ratio), logarithms += std::log(ratio);
      std::printf("%-28s %-26s %12.1f %12.1f %8.1f%s\n", from.name.c_str(), fault.name.empty() ? "1 in 97 flipped" : fault.name.c_str(), compared, ms, ratio, good ? "" : ("  named " + named).c_str());
      std::fflush(stdout);
    }
  }
  std::printf("worst ratio %.1f, geometric mean %.1f of %d\n", worst, std::exp(logarithms / rows), rows);
  std::filesystem::remove_all(folder);
  return right;
}

}  // namespace lastbit::bench
