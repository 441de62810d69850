// pool_causes_test.cpp: padding that takes part in a pool, and an output written in another order of axes.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

constexpr int C = 3, H = 7, W = 5, zero = 140;

/// 3x3, stride 1, padded by 1: the largest code, or the mean of all nine; the padding holds `code`, or is left out where it is negative.
Integers pooled(const Integers& x, bool largest, int code) {
  Integers y;
  for (int c = 0; c < C; ++c)
    for (int r = 0; r < H; ++r)
      for (int k = 0; k < W; ++k) {
        int most = -1, sum = 0;
        for (int t = 0; t < 9; ++t) {
          const int row = r + t / 3 - 1, column = k + t % 3 - 1;
          const bool outside = row < 0 || column < 0 || row >= H || column >= W;
          const int v = outside ? code : x[static_cast<std::size_t>((c * H + row) * W + column)];
          most = std::max(most, v);
          sum += v - zero;
        }
        y.push_back(largest ? most : static_cast<std::int32_t>(std::clamp(half_even(sum / 9.0 + zero), 0.0, 255.0)));  // ninths have no ties
      }
  return y;
}

Layer layer(const Integers& x, bool largest, const Integers& y, const std::string& name) {
  Layer l;
  l.name = name, l.op = largest ? "max_pool2d" : "avg_pool2d";
  l.inputs.emplace("x", Tensor::of_integers(name + ".x", DType::uint8, {1, C, H, W}, qparams(0.5f, zero, DType::uint8), x));
  l.outputs.emplace("y", Tensor::of_integers(name + ".y", DType::uint8, {1, C, H, W}, qparams(0.5f, zero, DType::uint8), y));
  for (const auto& [key, n] : {std::pair("kernel_size", std::int64_t{3}), std::pair("stride", std::int64_t{1}), std::pair("padding", std::int64_t{1})}) l.attributes.values[key] = std::vector<std::int64_t>{n, n};
  return l;
}

}  // namespace

TEST_CASE("padding that takes part in a pool is named, and an output written in another order of axes", "[verifier][causes]") {
  Draw draw{41};
  Integers x;
  for (int i = 0; i < C * H * W; ++i) x.push_back(draw(0, 170));
  DumpToWrite dump;
  set_pytorch(dump);
  std::vector<std::string> planted;
  const auto plant = [&](bool largest, const Integers& y, const std::string& cause) {
    dump.layers.push_back(layer(x, largest, y, std::to_string(planted.size())));
    planted.push_back(cause);
  };
  for (const bool largest : {true, false}) {
    const Integers clean = pooled(x, largest, largest ? -1 : zero);
    plant(largest, clean, "");
    plant(largest, pooled(x, largest, largest ? zero : 0), "padding:zero");
    plant(largest, pooled(x, largest, 251), "padding:stale");
    Integers last, first;  // the bytes of channels last, taken for channels first; and back
    for (int i = 0; i < C * H * W; ++i) {
      last.push_back(clean[static_cast<std::size_t>(i % C * H * W + i / C)]);
      first.push_back(clean[static_cast<std::size_t>(i % (H * W) * C + i / (H * W))]);
    }
    plant(largest, last, "layout:nhwc");
    plant(largest, first, "layout:nhwc");
  }
  const auto layers = verified(dump);
  REQUIRE(layers.size() == planted.size());
  for (std::size_t i = 0; i < planted.size(); ++i) {
    const LayerReport& l = layers[i];
    CAPTURE(i, planted[i], l.mismatches);
    CHECK((l.mismatches == 0) == planted[i].empty());
    CHECK(l.unexplained == 0);
    if (planted[i].empty()) continue;
    REQUIRE_FALSE(l.causes.empty());
    CAPTURE(l.causes[0].name);
    CHECK((l.causes[0].name == planted[i] || std::count(l.causes[0].group.begin(), l.causes[0].group.end(), planted[i]) == 1));
  }
}
