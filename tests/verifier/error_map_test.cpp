// error_map_test.cpp: a mismatch falls into the bin of its channel and position.
#include <catch2/catch.hpp>

#include "verifier/error_map.hpp"

using namespace lastbit;

namespace {

Tensor shaped(Shape shape) { return Tensor::of_floats("y", shape, std::vector<float>(static_cast<std::size_t>(count(shape)))); }

}  // namespace

TEST_CASE("channels are axis 1 of spatial outputs and the last axis of others", "[error_map]") {
  const ErrorMap nchw = error_map(shaped({2, 3, 2, 2}), true, {0, 5, 23});  // (0,0,0,0) (0,1,0,1) (1,2,1,1)
  CHECK(nchw.channels == 3);
  CHECK(nchw.positions == 8);
  std::vector<std::int64_t> expected(24);
  expected[0 * 8 + 0] = expected[1 * 8 + 1] = expected[2 * 8 + 7] = 1;
  CHECK(nchw.values == expected);

  const ErrorMap rows = error_map(shaped({2, 3}), false, {4, 4});  // (1,1)
  CHECK(rows.rows == 3);
  CHECK(rows.columns == 2);
  CHECK(rows.values == std::vector<std::int64_t>{0, 0, 0, 2, 0, 0});
}

TEST_CASE("long axes are binned evenly, and nothing is lost", "[error_map]") {
  std::vector<std::int64_t> all(640 * 100);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const ErrorMap map = error_map(shaped({1, 640, 10, 10}), true, all);
  CHECK(map.rows == 64);
  CHECK(map.columns == 64);
  std::int64_t sum = 0;
  for (const std::int64_t n : map.values) sum += n;
  CHECK(sum == 64000);
}

TEST_CASE("scalars and empty tensors have a map, too", "[error_map]") {
  CHECK(error_map(shaped({}), false, {0}).values == std::vector<std::int64_t>{1});
  CHECK(error_map(shaped({0, 3}), false, {}).values.empty());
}
