// reshape: the same values in the same order under another shape
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"

namespace lastbit::ops {
namespace {

std::vector<std::int64_t> all(const Tensor& x) {
  std::vector<std::int64_t> from(static_cast<std::size_t>(x.size()));
  std::iota(from.begin(), from.end(), 0);
  return from;
}

void check(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  if (x.size() != y.size()) throw Error(layer.place + ": output \"y\"", "found " + std::to_string(y.size()) + " elements, expected " + std::to_string(x.size()));
  if (!layer.attributes.has("shape")) return;
  auto shape = layer.attributes.list("shape");
  std::int64_t known = 1;
  for (const auto d : shape)
    if (__builtin_mul_overflow(known, d > 0 ? d : 1, &known)) throw Error(layer.place + ": attribute \"shape\"", "found " + to_string(shape) + ", expected the output's " + to_string(y.shape));
  for (auto& d : shape)
    if (d == -1 && known > 0) d = x.size() / known;
  if (shape != y.shape) throw Error(layer.place + ": attribute \"shape\"", "found " + to_string(shape) + ", expected the output's " + to_string(y.shape));
}

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), all(layer.in("x")), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), all(layer.in("x"))); }

}  // namespace

Operator reshape() {
  return {.name = "reshape",
          .families = {"move"},
          .formula = "y[i] = x[i], i counting elements in order",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"shape", "integers; one may be -1"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
