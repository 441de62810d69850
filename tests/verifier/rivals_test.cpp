// rivals_test.cpp: cells of rivals are found once for all layers of the same facts, and of no other.
#include "verifier/rivals.hpp"

#include <catch2/catch.hpp>

#include "tests/ops/layers.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("a rival's cells do not depend on the layers seen before: on AMX a layer's size chooses one", "[rivals]") {
  const auto linear = [](std::int64_t rows) {
    const auto filled = [](DType type, Shape shape) {
      const auto n = static_cast<std::size_t>(count(shape));
      return quantized(type, std::move(shape), std::vector<std::int32_t>(n), 0.5, 0);
    };
    return layer_of("linear", {{"x", filled(DType::uint8, {rows, 32})}, {"weight", filled(DType::int8, {64, 32})}}, filled(DType::uint8, {rows, 64}), {},
                    {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "onednn"}, {"isa", "avx512_vnni"}});
  };
  const Operator& op = *find_operator("linear");
  int chosen_by_size = 0;
  for (const std::int64_t rows : {2, 200, 2}) {  // 128 outputs, 12800 outputs
    const Layer layer = linear(rows);
    for (const auto& rival : *rival_cells(layer, op)) {
      const Layer as = as_rival(layer, op, rival);
      CHECK(*cell_for(*rival.profile, op, as) == rival.cell);
      chosen_by_size += as.is("amx_product");
    }
  }
  CHECK(chosen_by_size > 0);
}
