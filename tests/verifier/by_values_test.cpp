// by_values_test.cpp: a quantized float tensor judged by real quotients, against the rule run over all of it.
#include "verifier/by_values.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "lib/error.hpp"
#include "tests/ops/layers.hpp"
#include "tests/support.hpp"
#include "verifier/forms.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

EventCounts counted(const std::vector<Events>& all) {
  EventCounts n;
  for (const auto e : all) n.tie += (e & event::tie) != 0, n.clamped += (e & event::clamped) != 0;
  return n;
}

}  // namespace

TEST_CASE("a tensor quantized element by element is judged as its rule computes it, and so are the rivals", "[by_values]") {
  Random random{21};
  std::int64_t ties = 0, clamps = 0, alike = 0, unlike = 0, judged = 0, float_misses = 0;
  std::set<std::string> rules;
  const Operator& op = *find_operator("quantize");
  for (const std::string profile : {"pytorch-fbgemm", "pytorch-qnnpack", "onnxruntime", "tflite-reference", "tflite-ruy-x86", "pt2e"})
    for (int round = 0; round < 24; ++round) {
      INFO(profile << " round " << round);
      const std::int64_t n = random.below(3) ? random.between(1, 3000) : 1024 * random.between(1, 5);
      const bool is_signed = profile.rfind("tflite", 0) == 0 || random.below(2);
      const double scale = round % 3 == 0 ? std::ldexp(1.0, static_cast<int>(random.between(-12, 2))) : static_cast<double>(static_cast<float>(std::exp(static_cast<double>(random.between(-9000, 2000)) * 1e-3)));
      const std::int64_t low = is_signed ? -128 : 0, zero = random.below(4) == 0 ? low : random.between(low, low + 255);
      std::vector<float> x;
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t kind = static_cast<std::int64_t>(random.below(40));
        const auto steps = static_cast<double>(random.between(-700, 700));
        if (kind == 0) x.push_back(static_cast<float>(scale * (steps * 0.25 + 0.5)));                       // a tie, or nearly
        else if (kind == 1) x.push_back(std::nextafter(static_cast<float>(scale * (std::floor(steps * 0.2) + 0.5)), random.below(2) ? 1e9f : -1e9f));
        else if (kind == 2) x.push_back(0.0f);
        else if (kind == 3) x.push_back(static_cast<float>(scale * static_cast<double>((random.below(2) ? low : low + 255) - zero)));  // an end of the range
        else if (kind == 4 && round % 4 == 1) x.push_back(random.below(2) ? 3e9f : -std::numeric_limits<float>::infinity());
        else x.push_back(static_cast<float>(scale * (steps * 0.31 + static_cast<double>(random.between(0, 1000)) * 1e-3)));
      }
      Quantization q;
      q.scale = {scale}, q.zero_point = {static_cast<double>(zero)}, q.qmin = low, q.qmax = low + 255;
      const DType type = is_signed ? DType::int8 : DType::uint8;
      Tensor y = Tensor::of_integers("y", type, {n}, q, std::vector<std::int32_t>(static_cast<std::size_t>(n)));
      Layer layer = layer_of("quantize", {{"x", Tensor::of_floats("x", {n}, x)}}, y, {}, {{"framework", profile.rfind("tf", 0) == 0 ? "litert" : profile == "onnxruntime" ? "onnxruntime" : "pytorch"}, {"version", "2.13.0"}, {"isa", "avx512_vnni"}});
      const Cell* cell = cell_for(find_profile(profile), op, layer);
      REQUIRE(cell);
      const Result result = op.run(layer, *cell);
      const Computed& own = result.outputs.at("y");
      layer.outputs.at("y") = Tensor::of_integers("y", type, {n}, q, own.q);
      const auto others = rival_cells(layer, op);
      std::vector<bool> open;
      const auto s = judge_values({layer, {}, {}}, op, *cell, {true, true, *others, &open});
      REQUIRE(s);
      ++judged;
      rules.insert(cell->get("rounding", ""));
      const EventCounts events = counted(own.events);
      CHECK(s->elements == n);
      CHECK(s->mismatches == 0);
      CHECK(s->events.tie == events.tie);
      CHECK(s->events.clamped == events.clamped);
      const Real real = op.real(layer, result);
      const ExactSummary exact = exact_form(layer, own, real);
      CHECK(s->exact.ties == exact.ties);
      CHECK(s->exact.not_correctly_rounded == exact.not_correctly_rounded);
      CHECK(s->exact.histogram == exact.histogram);
      CHECK(s->exact.max_error_lsb == exact.max_error_lsb);
      CHECK(s->exact.mean_error_lsb == exact.mean_error_lsb);
      const FloatSummary floats = float_form(layer, real);
      REQUIRE(s->float_form);
      CHECK(s->float_form->mismatches == floats.mismatches);
      CHECK(s->float_form->float64_mismatches == floats.float64_mismatches);
      float_misses += floats.mismatches;
      ties += events.tie, clamps += events.clamped;
      for (std::size_t k = 0; k < others->size(); ++k) {
        if (open[k]) continue;
        const RivalCell& rival = (*others)[k];
        bool same = false;
        try {
          same = op.run(as_rival(layer, op, rival), rival.cell).outputs.at("y").q == own.q;
        } catch (const Error&) {
        }
        INFO(rival.label);
        CHECK(s->alike[k] == same);
        ++(same ? alike : unlike);
      }
      // One wrong value is none of its business.
      std::vector<std::int32_t> wrong = own.q;
      auto& one = wrong[static_cast<std::size_t>(random.between(0, n - 1))];
      one = one == static_cast<std::int32_t>(low) ? one + 1 : one - 1;
      layer.outputs.at("y") = Tensor::of_integers("y", type, {n}, q, wrong);
      CHECK_FALSE(judge_values({layer, {}, {}}, op, *cell, {true, true, {}, &open}));
    }
  CHECK(judged == 144);
  CHECK(rules.size() >= 4);
  CHECK(ties > 100);
  CHECK(clamps > 1000);
  CHECK(alike > 100);
  CHECK(unlike > 100);
  CHECK(float_misses > 10);
}
