// What every profile must be, whatever runtime it describes.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "lib/layer/operator.hpp"
#include "lib/profile/registry.hpp"
#include "lib/profile/requantize.hpp"

using namespace lastbit;

namespace {


RequantizeContext context(double si, double sw, double so, std::int64_t zo, DType y) {
  RequantizeContext c;
  c.channels.push_back({{"si", si}, {"sw", sw}, {"sb", si * sw}, {"so", so}, {"zi", 3.0}, {"zo", static_cast<double>(zo)}, {"bias", 17.0}, {"alpha", 1.0}});
  c.min = info(y).min, c.max = info(y).max, c.has_bias = true, c.lanes = 1;
  return c;
}

/// The stages of a cell that end in an integer, of every profile, each once.
std::set<std::vector<std::string>> integer_stages(const Profile& p) {
  std::set<std::vector<std::string>> all;
  for (const auto& cell : p.cells)
    if (!cell.stages.empty() && cell.stages.back() == "clamp") all.insert(cell.stages);
  return all;
}

}  // namespace

TEST_CASE("a profile is named after its file, and one that replaces another after that one", "[profile]") {
  const auto& all = all_profiles();
  REQUIRE(all.size() == profile_files().size());
  int replacing = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(profile_files()[i].name);
    CHECK(all[i].name == profile_files()[i].name);
    CHECK(&profile_at(i) == &all[i]);
    CHECK(&find_profile(all[i].name) == &all[i]);
    if (all[i].replaces.empty()) continue;
    CHECK(all[i].name.rfind(all[i].replaces + "-", 0) == 0);
    ++replacing;
  }
  CHECK(replacing > 0);
}

TEST_CASE("profiles: the same after JSON, there and back") {
  for (const auto& p : all_profiles()) {
    INFO(p.name);
    CHECK(profile_from_json(to_json(p), p.name) == p);
  }
}

TEST_CASE("profiles: say what they are and what that rests on") {
  std::set<std::string> names;
  for (const auto& p : all_profiles()) {
    INFO(p.name);
    CHECK(names.insert(p.name).second);
    CHECK(!p.title.empty());
    CHECK(!p.sources.empty());
    CHECK((p.evidence.rfind("measured: ", 0) == 0 || p.evidence.rfind("formula only: ", 0) == 0));
    CHECK(!p.cells.empty());
  }
  for (const char* name : {"onnxruntime", "tflite-reference", "tflite-ruy-x86", "tflite-ruy-arm", "tflite-single-rounding", "xnnpack", "tflm", "cmsis-nn", "cmsis-nn-single",
                           "gemmlowp", "tosa", "tosa-double", "tosa-inexact", "tensorrt", "vitis-dpu", "qnn", "pt2e"}) {
    INFO(name);
    CHECK(names.count(name) == 1);
  }
}

TEST_CASE("profiles: their cells name rules that the operators have") {
  for (const auto& p : all_profiles())
    for (const auto& cell : p.cells) {
      if (cell.rule == "unsupported" || cell.rule.empty()) continue;
      for (const auto& named : cell.ops) {
        bool known = false;
        for (const auto& op : all_operators()) {
          const bool meant = op.name == named || std::find(op.families.begin(), op.families.end(), named) != op.families.end();
          known |= meant && std::find(op.rules.begin(), op.rules.end(), cell.rule) != op.rules.end();
        }
        INFO(p.name << ": " << named << ": " << cell.rule);
        CHECK(known);
      }
    }
}

TEST_CASE("profiles: a larger accumulator never gives a smaller output") {
  struct Scales { double si, sw, so; };
  // Multipliers from 2^-14 to 1.9, powers of two among them; scales are float32, as runtimes hold them.
  for (const Scales s : {Scales{0.05f, 0.02f, 0.1f}, Scales{0.03125f, 0.0078125f, 0.5f}, Scales{0.007f, 0.004f, 0.3f}, Scales{0.9f, 0.7f, 0.33f}, Scales{0.25f, 1.0f, 1.0f}})
    for (const auto& p : all_profiles())
      for (const auto& stages : integer_stages(p)) {
        std::string spelled;
        for (const auto& stage : stages) spelled += stage + " | ";
        INFO(p.name << ": " << spelled);
        const double multiplier = s.si * s.sw / s.so;
        const auto reach = static_cast<std::int64_t>(300 / multiplier), step = std::max<std::int64_t>(reach / 4000, 1);
        for (const DType y : {DType::uint8, DType::int8}) {
          const Requantizer r(stages, context(s.si, s.sw, s.so, y == DType::uint8 ? 120 : -5, y), p.name);
          std::int64_t before = info(y).min;
          bool rising = true;
          for (std::int64_t acc = -reach; acc <= reach; acc += step) {
            Events e = 0;
            const std::int64_t now = r(acc, 0, e);
            rising &= now >= before;
            before = now;
          }
          CHECK(rising);
          CHECK(before == info(y).max);
        }
      }
}
