// activation.cpp: see activation.hpp.
#include "lib/rules/activation.hpp"

#include <charconv>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

void unknown_function(const std::string& how, const std::string& known) { throw Error("profile", "found the function \"" + how + "\", expected " + known); }

float exp_rounded(float x) { return static_cast<float>(std::exp(static_cast<double>(x))); }

Result run_activation(const Layer& layer, const Cell& cell, const FloatFunction& f, const std::function<bool(float)>& exact) {
  const std::string function = cell.get("function", "float64"), body = cell.get("body", function);
  if (cell.rule == "aten") {
    int slack = 0;
    const std::string text = cell.get("slack", "0");
    std::from_chars(text.data(), text.data() + text.size(), slack);
    return aten_activation(layer, cell, [&](float x, bool in_body) { return f(in_body ? body : function, x); }, [&](float x) { return exact && exact(x) ? 0 : slack; });
  }
  const Tensor &x = layer.in("x"), &y = layer.out();
  const QuantizeRule rounding = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const Range range = stored_range(y);
  const float scale = static_cast<float>(x.q.scale_of(0));
  return map_values(x, y.shape, [&](std::int64_t q) {
    Mapped m;
    const float v = f(function, scale * static_cast<float>(q - x.q.integer_zero_point()));
    m.q = static_cast<std::int32_t>(quantize_value(rounding, v, y.q.scale_of(0), y.q.zero_point_of(0), range, m.events));
    return m;
  });
}

}  // namespace lastbit
