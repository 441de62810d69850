// explain_test.cpp: what explain shows of pools and means adds up to the exact value and to what was observed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "tests/support.hpp"
#include "verifier/explain.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("the elements that a pool or a mean reads add up to its exact value", "[explain]") {
  const std::string path = (fs::path(LASTBIT_TEST_DATA) / "operators" / "pytorch-2.13-fbgemm-avx512_vnni").string();
  const Dump dump = Dump::open(path);
  std::map<std::string, int> seen;
  int padded = 0, shown = 0;
  for (const auto& entry : dump.layers()) {
    const bool max = entry.op.rfind("max_pool", 0) == 0;
    if (!max && entry.op.find("avg_pool") == std::string::npos && entry.op != "mean") continue;
    const Layer layer = dump.bind(entry);
    const Tensor &x = layer.in("x"), &y = layer.out();
    if (x.rank() == 0 || y.rank() == 0) continue;
    for (const bool last : {false, true}) {
      std::vector<std::int64_t> at;  // in the stored array's axes
      for (std::int64_t axis = 0; axis < y.rank(); ++axis) {
        std::int64_t size = y.shape[static_cast<std::size_t>(axis)];
        for (std::size_t a = 0; a < y.stored_axes.size(); ++a)
          if (y.stored_axes[a] == axis) size = y.shape[a];
        at.push_back(last ? size - 1 : 0);
      }
      INFO(entry.name << " " << entry.op << (last ? ", its last element" : ", its first"));
      const Explanation e = explain({.dump = path, .layer = entry.name, .profile = "", .at = at, .products = 3});
      std::map<std::string, std::int64_t> lines;
      for (const auto& line : e.accumulation) {
        if (line.name.rfind("x[", 0) == 0) ++shown;
        else lines[line.name.substr(0, line.name.find(" over "))] = std::stoll(line.value);
      }
      ++seen[entry.op];
      if (max) {
        CHECK(std::to_string(lines.at("= largest of " + std::to_string(e.terms) + " elements")) == e.observed);
        continue;
      }
      const std::int64_t places = lines.count("places of the window, padding included") ? lines.at("places of the window, padding included") : e.terms;
      padded += places != e.terms;
      const bool with_padding = entry.op.rfind("avg_pool", 0) == 0 && layer.attributes.boolean("count_include_pad", true);
      std::int64_t divisor = with_padding ? places : e.terms;
      if (layer.attributes.has("divisor_override")) divisor = layer.attributes.integer("divisor_override", divisor);
      CHECK(lines.at("= sum of x - zx") == lines.at("= sum of x") - e.terms * x.q.integer_zero_point());
      const double value = static_cast<double>(lines.at("= sum of x - zx")) * x.q.scale_of(0) / y.q.scale_of(0) / static_cast<double>(divisor) + y.q.zero_point_of(0);
      REQUIRE_FALSE(e.exact.empty());
      CHECK(std::fabs(std::stod(e.exact[0].value) - value) < 1e-9);
    }
  }
  CHECK(seen.size() >= 8);
  CHECK(padded > 0);
  CHECK(shown > 100);
}
