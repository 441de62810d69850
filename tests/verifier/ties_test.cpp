// ties_test.cpp: averages whose ties went to either side, as float sums in another order bring them, and places that a rule may fit, too.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

constexpr int H = 32, W = H / 2;

Integers image() {
  Draw draw{99};
  Integers x;
  for (int i = 0; i < H * H; ++i) x.push_back(draw(-100, 100));
  return x;
}

/// Means of four codes: the integers, and a half or not. LiteRT rounds halves away from zero.
struct Mean {
  int floor;
  bool tie;
};
std::vector<Mean> means(const Integers& x) {
  std::vector<Mean> all;
  for (int r = 0; r < H; r += 2)
    for (int c = 0; c < H; c += 2) {
      int sum = 0;
      for (const int at : {r * H + c, r * H + c + 1, (r + 1) * H + c, (r + 1) * H + c + 1}) sum += x[static_cast<std::size_t>(at)];
      all.push_back({static_cast<int>(std::floor(sum / 4.0 + (std::abs(sum) % 4 == 2 ? 0.0 : 0.5))), std::abs(sum) % 4 == 2});
    }
  return all;
}
int away(const Mean& m) { return m.tie && m.floor >= 0 ? m.floor + 1 : m.floor; }

LayerReport verified(const Integers& x, const Integers& y) {
  Layer l;
  l.name = "mean", l.op = "avg_pool2d";
  l.inputs.emplace("x", Tensor::of_integers("x", DType::int8, {1, 1, H, H}, qparams(0.5f, 9, DType::int8), x));
  l.outputs.emplace("y", Tensor::of_integers("y", DType::int8, {1, 1, W, W}, qparams(0.5f, 9, DType::int8), y));
  l.attributes.values["kernel_size"] = std::vector<std::int64_t>{2, 2};
  l.attributes.values["stride"] = std::vector<std::int64_t>{2, 2};
  DumpToWrite dump;
  dump.profile = "tflite-reference";
  dump.layers.push_back(std::move(l));
  return lastbit::test::verified(dump).at(0);
}

}  // namespace

TEST_CASE("ties that went to either side are a rounding to nearest of float sums in another order", "[verifier][causes]") {
  const Integers x = image();
  Draw draw{7};
  Integers y;
  for (const Mean& m : means(x)) y.push_back(m.tie ? m.floor + draw(0, 1) : m.floor);
  const LayerReport r = verified(x, y);
  REQUIRE(r.mismatches > 10);
  CHECK(r.unexplained == 0);
  REQUIRE(r.causes.size() == 1);
  for (const char* name : {"round:half-even", "round:half-away", "round:half-up", "round:half-down"}) CHECK(names(r.causes[0], name));
  CHECK(r.causes[0].sentence.find("comes to either side") != std::string::npos);
}

TEST_CASE("elements that are no ties, or too few to be no chance, are not taken for float sums in another order", "[verifier][causes]") {
  const Integers x = image();
  const auto all = means(x);
  Integers clean;
  for (const Mean& m : all) clean.push_back(away(m));
  REQUIRE(verified(x, clean).mismatches == 0);
  std::vector<std::size_t> ties;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].tie) ties.push_back(i);
  Integers three = clean, other = clean;
  for (std::size_t k = 0; k < 3; ++k) three[ties[20 * k + 1]] = 2 * all[ties[20 * k + 1]].floor + 1 - clean[ties[20 * k + 1]];
  Draw draw{3};
  for (const auto i : ties) other[i] = all[i].floor + draw(0, 1);
  other[static_cast<std::size_t>(std::find_if(all.begin(), all.end(), [](const Mean& m) { return !m.tie; }) - all.begin())] += 1;
  CHECK(verified(x, three).unexplained == 3);
  CHECK(verified(x, other).unexplained > 0);
}

TEST_CASE("one element that a rule would explain may as well be a corrupted one", "[verifier][causes]") {
  // One tie among values that are no ties: half-even moves it alone, and so would anything that hits it.
  Integers x(H * H, 4);
  x[2 * H + 2] = 6;  // a mean of 4.5
  Integers y;
  for (const Mean& m : means(x)) y.push_back(m.floor);
  const LayerReport r = verified(x, y);
  CHECK(r.mismatches == 1);
  CHECK(r.unexplained == 0);
  REQUIRE(r.causes.size() == 1);
  CHECK(names(r.causes[0], "round:half-even"));
  CHECK(names(r.causes[0], "position:element"));
}

TEST_CASE("wrong elements that share a byte, or bytes, are one place", "[verifier][causes]") {
  Layer l;
  l.name = "codes", l.op = "quantize";
  std::vector<float> x;
  Integers y;
  Draw draw{17};
  for (int i = 0; i < 6 * 8; ++i) y.push_back(draw(1, 14)), x.push_back(static_cast<float>(y.back() - 8) * 0.25f);
  const auto report = [&](const Integers& observed) {
    Layer other = l;
    other.inputs.emplace("x", Tensor::of_floats("x", {6, 8}, x));
    other.outputs.emplace("y", Tensor::of_integers("y", DType::uint4, {6, 8}, qparams(0.25f, 8, DType::uint4), observed));
    DumpToWrite dump;
    dump.profile = "onnxruntime";
    dump.layers.push_back(std::move(other));
    return verified(dump).at(0);
  };
  CHECK(report(y).mismatches == 0);
  Integers byte = y, column = y;
  byte[10] ^= 9, byte[11] ^= 6;
  for (std::size_t r = 0; r < 6; ++r) column[8 * r + 2] ^= 5, column[8 * r + 3] ^= static_cast<std::int32_t>(r);
  const LayerReport of_byte = report(byte), of_column = report(column);
  REQUIRE_FALSE(of_byte.causes.empty());
  CHECK(of_byte.causes[0].name == "position:element");
  CHECK(of_byte.causes[0].sentence.find("[1, 2] to [1, 3], share a byte") != std::string::npos);
  REQUIRE_FALSE(of_column.causes.empty());
  CHECK(of_column.causes[0].name == "position:channel");
  CHECK(of_column.causes[0].sentence.find("channels 2 to 3, which share bytes") != std::string::npos);
}
