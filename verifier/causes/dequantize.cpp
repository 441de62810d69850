// dequantize: scale*q - scale*zero_point, fused or in two rounded products, instead of scale*(q - zero_point).
#include "lib/num/float.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (c.layer.op != "dequantize" || c.layer.in("x").q.float_zero_point) return {};
  const auto make = [&c](const char* name, const char* sentence, auto formula) {
    return Suspect{name, sentence, 10, [&c, formula](const std::vector<std::int64_t>& elements) {
                     const Tensor& x = c.layer.in("x");
                     const auto one = [&](std::int64_t i) {
                       return static_cast<double>(formula(static_cast<float>(x.scale_at(i)), static_cast<float>(x.integer(i)), static_cast<float>(x.zero_point_at(i))));
                     };
                     Values v;
                     if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                     for (const auto i : elements) v.push_back(one(i));
                     return v;
                   }};
  };
  return {make("dequantize:fma", "Dequantized as fma(scale, q, -scale*zero_point): the product with q is not rounded.", [](float s, float q, float z) { const float premultiplied = s * -z; return fused(s, q, premultiplied); }),
          make("dequantize:two-products", "Dequantized as scale*q + (-zero_point*scale): two rounded products.", [](float s, float q, float z) { const float a = q * s, b = -z * s; return a + b; }),
          make("dequantize:float", "Dequantized in float32: scale*(q - zero_point).", [](float s, float q, float z) { return s * (q - z); })};
}

}  // namespace

Cause dequantize() { return {"dequantize", "another formula for (q - zero_point)*scale", {"dequantize:fma", "dequantize:two-products", "dequantize:float"}, suspects}; }

}  // namespace lastbit::causes
