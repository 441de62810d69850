// compared_alone_test.cpp: verify without causes.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("without causes a layer that differs is compared alone, and nothing of it is explained", "[verifier][causes]") {
  constexpr int zero = 140;
  Integers x, y;
  for (int i = 0; i < 256; ++i) x.push_back(i), y.push_back(i < 50 ? i : std::max(i, zero));  // the first 50 were not cut off
  DumpToWrite dump;
  set_pytorch(dump);
  Layer l;
  l.name = "relu", l.op = "relu";
  l.inputs.emplace("x", Tensor::of_integers("x", DType::uint8, {256}, qparams(0.5f, zero, DType::uint8), x));
  l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {256}, qparams(0.5f, zero, DType::uint8), y));
  dump.layers = {l};
  TemporaryFolder folder;
  write_dump(folder.path / "dump", dump);
  VerifyOptions options;
  options.dumps = {(folder.path / "dump").string()};
  options.causes = false;
  const LayerReport r = verify_dumps(options).layers[0];
  CHECK(r.mismatches == 50);
  CHECK(r.unexplained == 50);
  CHECK(r.causes.empty());
  CHECK(verify_command(options) == std::vector<std::string>{"verify", options.dumps[0], "--no-causes"});
  options.causes = true;
  options.events = false;
  CHECK(verify_command(options).back() == "--no-events");
  options.events = true;
  CHECK(verify_command(options).size() == 2);
}
