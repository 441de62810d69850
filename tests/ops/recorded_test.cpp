// Layers that real runtimes computed, one dump a runtime, engine and instruction set: every element, or inside its interval.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "lib/dump/dump.hpp"
#include "lib/layer/operator.hpp"

using namespace lastbit;
namespace fs = std::filesystem;

TEST_CASE("recorded layers: what runtimes computed is what their profiles compute", "[recorded]") {
  std::vector<fs::path> dumps;
  for (const auto& entry : fs::directory_iterator(fs::path(LASTBIT_TEST_DATA) / "operators")) dumps.push_back(entry.path());
  std::sort(dumps.begin(), dumps.end());
  REQUIRE(!dumps.empty());
  for (const auto& path : dumps) {
    const Dump dump = Dump::open(path);
    for (const auto& entry : dump.layers()) {
      INFO(path.filename().string() << ", " << entry.name);
      const Layer layer = dump.bind(entry);
      const Operator* op = find_operator(layer.op);
      REQUIRE(op);
      op->check(layer);
      const Cell* cell = cell_for(find_profile(entry.profile.empty() ? dump.profile() : entry.profile), *op, layer);
      REQUIRE(cell);
      const Computed y = op->run(layer, *cell).outputs.at("y");
      const auto observed = layer.out().i32();
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < observed.size(); ++i) {
        const auto open = std::find_if(y.undefined.begin(), y.undefined.end(), [&](const Interval& u) { return u.index == static_cast<std::int64_t>(i); });
        wrong += open == y.undefined.end() ? observed[i] != y.q[i] : observed[i] < open->lo || observed[i] > open->hi;
      }
      CHECK(wrong == 0);
    }
  }
}
