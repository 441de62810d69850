// explain.hpp: one element, every number on the way.
#pragma once
#include <string>
#include <vector>

#include "verifier/evaluate.hpp"

namespace lastbit {

struct ExplainOptions {
  std::string dump, layer, profile, output = "y";
  std::vector<std::int64_t> at;      // in the stored array's axes
  std::size_t products = 12;         // the largest so many are shown
};

/// Plain values, so that text and JSON say the same.
struct Explanation {
  struct Product { std::string at; std::int64_t x, w, x_centred, w_centred, product; };
  struct Line { std::string name, value, fraction; };
  std::string layer, op, profile, place, rule, expected, observed;
  std::int64_t lsb = 0;
  std::vector<Line> quantities;      // scales, zero points, bias, multiplier
  std::vector<Product> products;
  std::int64_t terms = 0;
  std::vector<Line> accumulation;    // sum of x*w, the zero-point terms, the accumulator, with the bias
  std::vector<Line> stages;          // each stage of the profile with the value after it
  std::vector<Line> by_hand;         // float32 and float64 computation, quantized
  std::vector<Line> exact;           // value before rounding, distance to the boundary
  std::vector<Line> others;          // what every other profile would give
};
Explanation explain(const ExplainOptions&);
std::string to_text(const Explanation&);
std::string to_json(const Explanation&);

}  // namespace lastbit
