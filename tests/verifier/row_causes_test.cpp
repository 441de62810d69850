// row_causes_test.cpp: layers whose planes are computed apart from each other: most suspects are tried on a few planes alone.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

constexpr int C = 60, H = 10, W = 9, zero = 100;  // 5400 elements: more than a layer that is always computed in full

/// Means of 3x3, stride 1, padded by 1 with real zeros; ninths have no ties.
template <class Round>
Integers means(const Integers& x, Round round) {
  Integers y;
  for (int i = 0; i < C * H * W; ++i) {
    int sum = 0;
    for (int t = 0; t < 9; ++t) {
      const int row = i / W % H + t / 3 - 1, column = i % W + t % 3 - 1;
      if (row >= 0 && column >= 0 && row < H && column < W) sum += x[static_cast<std::size_t>((i / (H * W) * H + row) * W + column)] - zero;
    }
    y.push_back(static_cast<std::int32_t>(round(sum / 9.0)) + zero);
  }
  return y;
}

Layer layer(const Integers& x, const Integers& y, const std::string& name) {
  Layer l;
  l.name = name, l.op = "avg_pool2d";
  l.inputs.emplace("x", Tensor::of_integers(name + ".x", DType::uint8, {1, C, H, W}, qparams(0.5f, zero, DType::uint8), x));
  l.outputs.emplace("y", Tensor::of_integers(name + ".y", DType::uint8, {1, C, H, W}, qparams(0.5f, zero, DType::uint8), y));
  for (const auto& [key, n] : {std::pair("kernel_size", std::int64_t{3}), std::pair("stride", std::int64_t{1}), std::pair("padding", std::int64_t{1})}) l.attributes.values[key] = std::vector<std::int64_t>{n, n};
  return l;
}

}  // namespace

TEST_CASE("a rule that a few planes show is a cause only where it holds in every plane", "[verifier][causes]") {
  Draw draw{43};
  Integers x;
  for (int i = 0; i < C * H * W; ++i) x.push_back(draw(0, 170));
  const Integers clean = means(x, [](double v) { return half_even(v); }), floored = means(x, [](double v) { return std::floor(v); });
  Integers moved = clean;
  for (auto& v : moved) v += 7;
  DumpToWrite dump;
  set_pytorch(dump);
  dump.layers = {layer(x, clean, "clean"), layer(x, floored, "floored"), layer(x, moved, "moved")};
  // In one plane of many, one element is as it should be though the rule would change it.
  std::size_t kept = 37 * H * W;
  while (floored[kept] == clean[kept]) ++kept;
  Integers all_but_one = floored;
  all_but_one[kept] = clean[kept];
  dump.layers.push_back(layer(x, all_but_one, "all but one"));
  const auto layers = verified(dump);
  CHECK(layers[0].mismatches == 0);
  for (const auto& [at, cause] : {std::pair(1, "round:floor"), std::pair(2, "zero-point:stale")}) {
    const LayerReport& l = layers[static_cast<std::size_t>(at)];
    CAPTURE(cause);
    CHECK(named_first(l, cause));
    CHECK(l.causes.front().explains == l.mismatches);
    CHECK(l.unexplained == 0);
  }
  for (const auto& cause : layers[3].causes) CHECK_FALSE(names(cause, "round:floor"));
  CHECK(layers[3].unexplained > 0);
  const auto& near = layers[3].near_misses;
  CHECK(std::any_of(near.begin(), near.end(), [](const CauseFound& n) { return n.name == "round:floor" && n.sentence.find("of all elements, and changes 1 that agreed") != std::string::npos; }));
}
