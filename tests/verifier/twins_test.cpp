// twins_test.cpp: what the audit of a dump made with VNNI predicts for a CPU without it, against what that CPU computed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "verifier/audit.hpp"
#include "verifier/evaluate.hpp"

using namespace lastbit;
namespace fs = std::filesystem;

namespace {

const LayerEntry* named(const Dump& dump, const std::string& name) {
  for (const auto& entry : dump.layers())
    if (entry.name == name) return &entry;
  return nullptr;
}

bool same_values(const Tensor& a, const Tensor& b) {
  if (a.shape != b.shape) return false;
  for (std::int64_t i = 0; i < a.size(); ++i)
    if (a.value(i) != b.value(i)) return false;
  return true;
}

struct Counts {
  std::int64_t layers = 0, elements = 0, changed = 0;
};

/// Every layer with the twin's inputs: the changed elements and their values are the twin's, no more and no fewer.
void compare_twins(const fs::path& vnni, const fs::path& other, Counts& counts) {
  const Dump a = Dump::open(vnni.string()), b = Dump::open(other.string());
  AuditOptions o;
  o.verify.dumps = {vnni.string()};
  o.verify.jobs = 1;
  o.pairs = true;
  o.pairs_isa = b.producer().at("isa");
  const Audit result = audit(o);
  for (const auto& layer : result.layers) {
    const LayerReport& report = result.report.layers[layer.layer];
    const LayerEntry *mine = named(a, report.name), *theirs = named(b, report.name);
    if (!layer.accumulates || !theirs) continue;
    const Layer x = a.bind(*mine), y = b.bind(*theirs);
    CAPTURE(vnni.string(), report.name);
    if (!std::all_of(x.inputs.begin(), x.inputs.end(), [&](const auto& in) { return same_values(in.second, y.in(in.first)); })) continue;
    REQUIRE(layer.costs.size() == 1);
    const Cost& cost = layer.costs[0];
    const Tensor &before = x.out(cost.output), &after = y.out(cost.output);
    auto predicted = cost.which.begin();
    for (std::int64_t i = 0; i < before.size(); ++i) {
      if (predicted != cost.which.end() && predicted->index == stored_index(before, i)) {
        REQUIRE(predicted->from == before.value(i));
        REQUIRE(predicted->to == after.value(i));
        ++predicted;
      } else
        REQUIRE(before.value(i) == after.value(i));
    }
    CHECK(predicted == cost.which.end());
    ++counts.layers, counts.elements += before.size(), counts.changed += cost.changed;
  }
}

}  // namespace

TEST_CASE("what saturating pairs change is predicted, element for element", "[verifier][audit][isa]") {
  const fs::path data = fs::path(LASTBIT_TEST_DATA) / "runtimes";
  for (const auto& [vnni, other, least] : {std::tuple{"pytorch-2.13/fbgemm/avx512_vnni", "pytorch-2.13/fbgemm/avx2", 13000},
                                           {"pytorch-2.13/onednn/avx512_vnni", "pytorch-2.13/onednn/avx2", 400},
                                           {"pytorch-2.13/onednn/avx512_vnni", "pytorch-2.13/onednn/avx512", 900},
                                           {"onnxruntime-1.31/avx512_vnni", "onnxruntime-1.31/avx2", 5000}}) {
    Counts counts;
    for (const auto& family : fs::directory_iterator(data / other))
      if (fs::exists(data / vnni / family.path().filename())) compare_twins(data / vnni / family.path().filename(), family.path(), counts);
    CAPTURE(other, counts.layers, counts.elements);
    CHECK(counts.changed > least);  // a suite in which nothing saturates proves nothing
  }
}
