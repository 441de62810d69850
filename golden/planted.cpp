// planted.cpp: see planted.hpp.
#include "golden/planted.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {
namespace {

void add_stale_zero_point(const Case& c, std::vector<Suspect>& all) {
  const Quantization& q = c.observed.q;
  if (is_float(c.observed.dtype) || !q.quantized() || q.zero_point.size() > 1 || q.float_zero_point) return;
  const auto& type = info(c.observed.dtype);
  for (const std::int64_t by : {1, -1}) {
    const std::int64_t stale = q.integer_zero_point() + by;
    if (stale < type.min || stale > type.max) continue;
    Layer other = c.layer;
    other.outputs.at(c.port).q.zero_point = {static_cast<double>(stale)};
    const std::string sentence = std::string("The output was written with a zero point one ") + (by > 0 ? "above" : "below") + " its own.";
    if (c.accumulates()) {
      const Range moved = activated_range(other, other.out(c.port));
      all.push_back(suspect(c, "zero-point:stale", sentence, {.context = [stale, moved](RequantizeContext& context) {
                              for (auto& names : context.channels) names["zo"] = static_cast<double>(stale);
                              context.min = moved.min, context.max = moved.max;
                            }}));
    } else {
      all.push_back(rerun_suspect(c, "zero-point:stale", sentence, other));
    }
  }
}

void add_stale_padding(const Case& c, std::vector<Suspect>& all) {
  if (!c.accumulates() || c.geometry().transposed) return;
  const std::int64_t zi = c.input().x_zero_point;
  bool padded = false;
  for (const auto s : sources(c.geometry())) padded = padded || s < 0;
  if (!padded) return;
  for (const std::int64_t by : {1, -1}) {
    const std::int64_t pad = zi + by;
    if (pad == 0 || pad < info(c.input().x_dtype).min || pad > info(c.input().x_dtype).max) continue;  // 0 is padding:zero
    all.push_back(suspect(c, "padding:stale", std::string("Padding holds the code one ") + (by > 0 ? "above" : "below") + " the input's zero point.", {.sum = [&c, by](std::int64_t e) {
                            std::int64_t sum = c.accumulators()[static_cast<std::size_t>(e)];
                            c.products(e, [&](auto, auto, std::int64_t, std::int64_t weight, bool outside) { if (outside) sum += by * weight; });
                            return sum;
                          }}));
  }
}

/// One code off where `here` says so: towards the middle of the range, so that it stays in it; a float by its last bit but some.
Suspect fault(const Case& c, std::string name, std::string sentence, std::function<bool(std::int64_t)> here) {
  return {std::move(name), std::move(sentence), 10, [&c, here = std::move(here)](const std::vector<std::int64_t>& elements) {
            const bool floats = is_float(c.observed.dtype);
            const double middle = floats ? 0 : static_cast<double>(info(c.observed.dtype).min + info(c.observed.dtype).max) / 2;
            Values v;
            const auto one = [&](std::int64_t i) {
              const double q = c.expected_value(i);
              if (!here(i)) return q;
              return floats ? q + std::max(1.0, std::abs(q)) : q + (q < middle ? 1 : -1);
            };
            if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
            for (const auto i : elements) v.push_back(one(i));
            return v;
          }};
}

void add_places(const Case& c, std::vector<Suspect>& all) {
  const std::int64_t n = c.size(), row = c.observed.rank() ? std::max<std::int64_t>(1, c.observed.dim(-1)) : 1;
  if (n < 2) return;
  all.push_back(fault(c, "position:element", "One element alone is one code off.", [at = n / 2](std::int64_t i) { return i == at; }));
  if (n > row && row > 1) all.push_back(fault(c, "position:row", "One row is one code off.", [row, at = n / row / 2](std::int64_t i) { return i / row == at; }));
  const std::int64_t tail = std::max<std::int64_t>(2, n / 4);
  all.push_back(fault(c, "position:tail", "The last elements in memory are one code off.", [from = n - tail](std::int64_t i) { return i >= from; }));
  if (c.observed.rank() < 2 || c.observed.dim(1) < 2) return;
  const std::int64_t channels = c.observed.dim(1);
  std::int64_t inner = 1;
  for (int a = 2; a < c.observed.rank(); ++a) inner *= c.observed.dim(a);
  all.push_back(fault(c, "position:channel", "One channel is one code off.", [inner, channels, at = channels - 1](std::int64_t i) { return i / inner % channels == at; }));
}

/// One input read for the other: what a layer alone has of a graph that is one off.
void add_inputs(const Case& c, std::vector<Suspect>& all) {
  for (const auto& [port, other] : {std::pair("a", "b"), std::pair("b", "a")}) {
    if (!c.layer.inputs.count(port) || !c.layer.inputs.count(other)) continue;
    const Tensor &own = c.layer.in(port), &read = c.layer.in(other);
    if (own.shape != read.shape || own.dtype != read.dtype) continue;
    Layer wrong = c.layer;
    wrong.inputs.at(port) = read;
    all.push_back(rerun_suspect(c, std::string("input:") + other, std::string("The layer read \"") + other + "\" as \"" + port + "\", with its own qparams.", wrong));
    wrong.inputs.at(port).q = own.q;
    all.push_back(rerun_suspect(c, std::string("input:") + other, std::string("The layer read \"") + other + "\" as \"" + port + "\", with the qparams of \"" + port + "\".", wrong));
  }
}

}  // namespace

std::vector<Suspect> planted_faults(const Case& c) {
  std::vector<Suspect> all;
  add_stale_zero_point(c, all);
  add_stale_padding(c, all);
  add_places(c, all);
  add_inputs(c, all);
  return all;
}

}  // namespace lastbit
