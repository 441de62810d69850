// streamed_test.cpp: a layer judged block by block says what the same layer computed as a whole says.
#include "verifier/streamed.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "lib/kernels/nearness.hpp"
#include "lib/kernels/signed_sums.hpp"
#include "lib/kernels/target.hpp"
#include "tests/ops/layers.hpp"
#include "tests/verifier/numbers.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/forms.hpp"
#include "verifier/rivals.hpp"
#include "verifier/stored_bounds.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

struct Shaped {
  const char* name;
  std::int64_t batch, channels, size, out, kernel, groups, stride;
  bool nhwc, per_channel, ties;
  std::int32_t largest_weight = 127;
  bool relu = false;  // PyTorch's, fused
  const char* isa = "avx512_vnni";
};

/// A convolution whose observed output is what the profile gives.
Layer convolution(const Shaped& s, const std::string& profile, Draw& random) {
  const auto values = [&](std::int64_t n, std::int32_t lo, std::int32_t hi) {
    std::vector<std::int32_t> v;
    for (std::int64_t i = 0; i < n; ++i) v.push_back(random(lo, hi));
    return v;
  };
  const bool tflite = profile.rfind("tf", 0) == 0;
  const DType type = tflite ? DType::int8 : DType::uint8;
  const std::int64_t padding = s.kernel / 2, size = (s.size + 2 * padding - s.kernel) / s.stride + 1, inputs = s.channels / s.groups;
  const std::int32_t lo = tflite ? -128 : 0, zero = lo + 117;
  Tensor x = quantized(type, {s.batch, s.channels, s.size, s.size}, values(s.batch * s.channels * s.size * s.size, lo, lo + 255), s.ties ? 0.25 : 0.0371, zero);
  Tensor w = quantized(DType::int8, {s.out, inputs, s.kernel, s.kernel}, values(s.out * inputs * s.kernel * s.kernel, -s.largest_weight, s.largest_weight), s.ties ? 0.0625 : 0.0143, 0);
  if (s.per_channel) {
    w.q.axis = 0;
    w.q.scale.clear(), w.q.zero_point.assign(static_cast<std::size_t>(s.out), 0);
    for (std::int64_t o = 0; o < s.out; ++o) w.q.scale.push_back(static_cast<double>(0.0011f * static_cast<float>(random(5, 25))));
  }
  const auto biases = values(s.out, -3000, 3000);
  Tensor bias = Tensor::of_integers("t", DType::int32, {s.out}, {}, biases);
  if (profile.rfind("pytorch", 0) == 0) {
    std::vector<float> real;
    for (const auto b : biases) real.push_back(static_cast<float>(b) * 0x1p-9f);
    bias = Tensor::of_floats("t", {s.out}, real);
  }
  const double terms = static_cast<double>(inputs * s.kernel * s.kernel);
  Tensor y = quantized(type, {s.batch, s.out, size, size}, values(s.batch * s.out * size * size, 0, 0), s.ties ? 8.0 : static_cast<double>(static_cast<float>(0.03 * std::sqrt(terms))), zero);
  Layer l = layer_of("conv2d", {{"x", x}, {"weight", w}, {"bias", bias}}, y,
                     {{"groups", s.groups}, {"stride", s.stride}, {"padding", padding}, {"activation", std::string(s.relu && profile.rfind("pytorch", 0) == 0 ? "relu" : "none")}},
                     {{"framework", tflite ? "litert" : "onnxruntime"}, {"isa", s.isa}});
  Tensor& observed = l.outputs.at("y");
  observed = Tensor::of_integers("t", type, observed.shape, observed.q, computed(l, profile).q);
  return l;
}

/// The same as a dump in NHWC would bind it: `held` keeps the bytes.
StoredLayer as_stored(Layer l, bool nhwc, std::vector<Tensor>& held) {
  StoredLayer s{std::move(l), {}, {}};
  if (!nhwc) return s;
  const auto leave = [&](Tensor& t, std::map<std::string, const std::byte*>& stored, const std::string& port) {
    held.push_back(permuted(t, {0, 2, 3, 1}));
    stored[port] = held.back().data;
    t.data = nullptr;
    t.stored_axes = {0, 3, 1, 2};
  };
  leave(s.layer.inputs.at("x"), s.inputs, "x");
  leave(s.layer.outputs.at("y"), s.outputs, "y");
  return s;
}

constexpr Shaped shapes[] = {
    {"1x1", 2, 24, 9, 40, 1, 1, 1, false, true, false},   {"1x1, NHWC", 1, 64, 7, 72, 1, 1, 1, true, true, false}, {"3x3", 1, 16, 11, 20, 3, 1, 2, false, false, false},
    {"3x3, NHWC", 2, 8, 13, 33, 3, 1, 1, true, true, false}, {"depthwise", 1, 24, 10, 24, 3, 24, 1, true, true, false}, {"depthwise, NCHW", 1, 24, 10, 24, 3, 24, 1, false, true, false}, {"depthwise on ties, NCHW", 2, 16, 8, 16, 3, 16, 1, false, false, true}, {"grouped", 1, 12, 8, 18, 3, 3, 1, false, true, false},
    {"ties", 1, 16, 9, 16, 1, 1, 1, false, false, true},    {"ties, NHWC", 1, 16, 9, 16, 3, 1, 1, true, false, true},
    // No window is ever whole inside its input.
    {"3x3 of 1x1", 2, 16, 1, 24, 3, 1, 1, false, true, false}, {"3x3 of 2x2, NHWC", 1, 16, 2, 40, 3, 1, 1, true, true, false}, {"5x5 of 3x3, NHWC, depthwise", 1, 32, 3, 32, 5, 32, 1, true, false, false},
    {"5x5 of 4x4, stride 2", 1, 12, 4, 18, 5, 3, 2, false, true, true},
    // Pairs that never leave 16 bits, and that hardly do.
    {"small weights", 1, 16, 9, 24, 3, 1, 1, false, true, false, 64}, {"small weights, NHWC", 2, 8, 9, 12, 1, 1, 1, true, true, false, 64}, {"a large pair", 1, 4, 5, 6, 1, 1, 1, false, true, false, 68},
    {"relu", 1, 16, 9, 24, 3, 1, 1, false, true, false, 127, true}, {"relu, NHWC", 2, 8, 9, 20, 1, 1, 1, true, false, false, 127, true}, {"relu on ties", 1, 16, 9, 16, 1, 1, 1, false, false, true, 127, true},
    // Where the layer's own products share 16-bit registers.
    {"avx2, small weights", 1, 16, 9, 24, 3, 1, 1, false, true, false, 64, false, "avx2"}, {"avx2, NHWC, relu", 2, 24, 9, 24, 3, 24, 1, true, true, false, 64, true, "avx2"},
    {"avx2, large weights", 1, 16, 7, 12, 3, 1, 1, false, true, false, 127, false, "avx2"},
};

}  // namespace

TEST_CASE("a streamed layer has the events, accumulators, exact form and evidence of the whole computation", "[streamed]") {
  std::int64_t ties = 0, clamps = 0, wrong = 0, streamed_layers = 0, bounded = 0, float_misses = 0, float_forms = 0, double_misses = 0, own_pairs = 0, saturating = 0, relus = 0;
  std::map<std::string, int> kinds;
  for (const std::string profile : {"onnxruntime", "pytorch-fbgemm", "pytorch-x86", "pytorch-onednn", "pytorch-onednn-2", "tensorrt", "pytorch-qnnpack", "tflite-reference", "tflite-ruy-x86", "xnnpack"})
    for (const auto& shape : shapes) {
      INFO(profile << " " << shape.name);
      Draw random{0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(streamed_layers)};
      Layer layer = convolution(shape, profile, random);
      const Operator& op = *find_operator("conv2d");
      const Cell* cell = cell_for(find_profile(profile), op, layer);
      REQUIRE(cell);
      const auto others = rival_cells(layer, op);
      std::vector<bool> open;
      std::vector<Tensor> held;
      StoredLayer stored = as_stored(layer, shape.nhwc, held);
      const auto s = stream_layer(stored, op, *cell, {true, true, *others, &open});
      const bool paired = cell->get("pairs") == "int16";
      saturating += paired && !s;
      if (!s) continue;
      own_pairs += paired, relus += shape.relu;
      std::vector<bool> open_alone;
      const auto alone = stream_layer(stored, op, *cell, {false, false, *others, &open_alone});  // no form, rivals all the same
      REQUIRE(alone);
      CHECK(alone->alike == s->alike);
      CHECK(open_alone == open);
      ++streamed_layers;
      const auto bounds = stored_bounds(stored, *cell), proved = accumulator_bounds(layer, op, *cell);
      REQUIRE(bounds);
      CHECK(bounds->min == proved->min);
      CHECK(bounds->max == proved->max);
      if (s->bounds) {
        ++bounded;
        CHECK(s->bounds->min == proved->min);
        CHECK(s->bounds->max == proved->max);
      }
      bring_into_order(stored);
      CHECK(std::memcmp(stored.layer.out().data, layer.out().data, static_cast<std::size_t>(layer.out().size())) == 0);
      const Evaluated e = evaluate(layer, op, *cell);
      const Computed& y = e.result.outputs.at("y");
      CHECK(s->mismatches == 0);
      CHECK(s->elements == layer.out().size());
      CHECK(s->acc_min == e.result.acc_min);
      CHECK(s->acc_max == e.result.acc_max);
      EventCounts n;
      for (const auto flags : y.events) n.tie += (flags & event::tie) != 0, n.clamped += (flags & event::clamped) != 0, n.wrapped += (flags & event::wrapped) != 0, n.inexact_float += (flags & event::inexact_float) != 0;
      CHECK(s->events.tie == n.tie);
      CHECK(s->events.clamped == n.clamped);
      CHECK(s->events.wrapped == n.wrapped);
      CHECK(s->events.inexact_float == n.inexact_float);
      const ExactSummary exact = exact_form(layer, y, op.real(layer, e.result));
      CHECK(s->exact.ties == exact.ties);
      CHECK(s->exact.not_correctly_rounded == exact.not_correctly_rounded);
      CHECK(s->exact.histogram == exact.histogram);
      CHECK(s->exact.max_error_lsb == exact.max_error_lsb);
      CHECK(s->exact.mean_error_lsb == exact.mean_error_lsb);
      const FloatSummary floats = float_form(layer, op.real(layer, e.result));
      if (s->float_form) {  // not where an LSB is a few units of the sum, and two roundings may err by much of it
        CHECK(s->float_form->mismatches == floats.mismatches);
        CHECK(s->float_form->max_lsb == floats.max_lsb);
        CHECK(s->float_form->float64_mismatches == floats.float64_mismatches);
        CHECK(s->float_form->float64_max_lsb == floats.float64_max_lsb);
        ++float_forms;
      }
      float_misses += floats.mismatches, double_misses += floats.float64_mismatches;
      for (std::size_t k = 0; k < others->size(); ++k) {
        if (open[k]) continue;
        bool same = false;
        try {
          same = evaluate(as_rival(layer, op, (*others)[k]), op, (*others)[k].cell).mismatches() == 0;
        } catch (const Error&) {
        }
        INFO((*others)[k].label);
        CHECK(s->alike[k] == same);
        const Cell& rival = (*others)[k].cell;
        const std::string kind = rival.rule != "accumulate" ? rival.rule : rival.get("pairs", "none") != "none" ? "pairs" : rival.get("bounds").empty() ? "stages" : "bounds";
        ++kinds[kind + (same ? ", alike" : ", unlike")];
      }
      ties += exact.ties, clamps += n.clamped, wrong += exact.not_correctly_rounded;
    }
  CHECK(streamed_layers > 160);
  CHECK(own_pairs > 5);
  CHECK(saturating > 3);
  CHECK(relus > 30);
  CHECK(bounded > 50);
  CHECK(ties > 10);
  CHECK(clamps > 50);
  CHECK(wrong > 0);
  CHECK(float_forms > 40);
  CHECK(float_misses > 0);
  CHECK(double_misses > 0);
  for (const char* kind : {"stages", "pairs", "float", "either_order", "bounds"})
    for (const char* found : {", alike", ", unlike"}) {
      INFO(kind << found);
      CHECK(kinds[std::string(kind) + found] > 0);
    }
}

TEST_CASE("one changed byte of a streamed layer is one mismatch, wherever it lies", "[streamed]") {
  Draw random{7};
  for (const auto& shape : shapes) {
    if (std::string(shape.isa) != "avx512_vnni") continue;  // pairs may saturate there
    Layer layer = convolution(shape, "onnxruntime", random);
    const Cell* cell = cell_for(find_profile("onnxruntime"), *find_operator("conv2d"), layer);
    const Tensor y = layer.out();
    for (const std::int64_t at : {std::int64_t{0}, y.size() / 2, y.size() - 1}) {
      auto changed = std::make_shared<std::vector<std::byte>>(y.data, y.data + y.size());
      (*changed)[static_cast<std::size_t>(at)] ^= std::byte{1};
      Layer other = layer;
      other.outputs.at("y").data = changed->data();
      other.outputs.at("y").owner = changed;
      std::vector<Tensor> held;
      const auto s = stream_layer(as_stored(other, shape.nhwc, held), *find_operator("conv2d"), *cell, {});
      REQUIRE(s);
      CHECK(s->mismatches == 1);
    }
  }
}

TEST_CASE("bounds from packed weights are those of the weights on every instruction set", "[streamed][kernels]") {
  for (const auto& target : supported_targets()) {
    REQUIRE(limit_target(target));
    int bounded = 0;
    for (const auto& shape : shapes) {
      INFO(target << " " << shape.name);
      Draw random{7};
      const Layer layer = convolution(shape, "onnxruntime", random);
      const Operator& op = *find_operator("conv2d");
      const Cell* cell = cell_for(find_profile("onnxruntime"), op, layer);
      std::vector<Tensor> held;
      const auto s = stream_layer(as_stored(layer, shape.nhwc, held), op, *cell, {});
      if (!s || !s->bounds) continue;
      ++bounded;
      const auto proved = accumulator_bounds(layer, op, *cell);
      CHECK(s->bounds->min == proved->min);
      CHECK(s->bounds->max == proved->max);
    }
    CHECK(bounded > 3);
  }
  limit_target("");
}

TEST_CASE("measures of nearness are the same on every instruction set", "[streamed][kernels]") {
  Draw random{11};
  constexpr std::int64_t n = 1003;
  std::vector<std::int32_t> acc;
  std::vector<std::byte> stored;
  std::vector<double> m, a;
  std::vector<float> m32, m_rest, a32, a_rest;
  std::vector<std::int32_t> least, most;
  for (std::int64_t i = 0; i < n; ++i) {
    acc.push_back(random(-200000, 200000));
    m.push_back(i % 3 ? 0x1p-9 : 0.00137 * random(1, 3)), a.push_back(random(-40, 140) * (i % 4 ? 0.5 : 0.3));
    m32.push_back(static_cast<float>(m.back())), a32.push_back(static_cast<float>((a.back() + 0x1.8p38) - 0x1.8p38));  // in steps of 2^-14
    m_rest.push_back(static_cast<float>(m.back() - static_cast<double>(m32.back()))), a_rest.push_back(static_cast<float>(a.back() - static_cast<double>(a32.back())));
    least.push_back(static_cast<std::int32_t>(std::ceil((0 - a.back()) / m.back()))), most.push_back(static_cast<std::int32_t>(std::floor((255 - a.back()) / m.back())));
    const double v = static_cast<double>(acc.back()) * m.back() + a.back();
    stored.push_back(static_cast<std::byte>(static_cast<int>(std::min(255.0, std::max(0.0, v + 0.5))) ^ (random(0, 50) == 0)));
  }
  struct Measured {
    std::vector<std::uint16_t> near, near32;
    NearTotals totals;
    std::vector<Inside> inside = std::vector<Inside>(n);
  };
  std::vector<Measured> all;
  for (const auto& target : supported_targets())
    for (const bool split : {false, true}) {
      REQUIRE(limit_target(target));
      Measured one;
      one.near.resize(near_most), one.near32.resize(near_most);
      NearRequest request;
      request.acc = acc.data(), request.stored = stored.data(), request.n = n, request.line = {m.data(), a.data(), 1, 0}, request.bound = 1e-12, request.doubt = 2e-2, request.inside = one.inside.data();
      if (split) request.split = {m32.data(), m_rest.data(), a32.data(), a_rest.data(), nullptr, nullptr};
      request.split.least = least.data(), request.split.most = most.data();
      one.near.resize(static_cast<std::size_t>(measure(request, one.near.data(), one.totals)));
      one.near32.resize(static_cast<std::size_t>(find_near({acc.data(), n, 1, 0, m32.data(), a32.data(), 1, 0}, 2.1e-2f, one.near32.data())));
      all.push_back(std::move(one));
    }
  limit_target("");
  std::vector<std::uint16_t> plain;
  std::int64_t wrong = 0, below = 0, above = 0, sum = 0;
  std::vector<std::int64_t> histogram(40);
  double largest = 0;
  std::vector<Inside> inside(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    const double v = static_cast<double>(acc[k]) * m[k] + a[k], q = std::to_integer<int>(stored[k]), error = q - std::min(255.0, std::max(0.0, v));
    sum += std::to_integer<int>(stored[k]);
    largest = std::max(largest, std::fabs(error));
    add_to_histogram(histogram, error, 1);
    v < 0 ? ++below : v > 255 ? ++above : (inside[k].count = 1, inside[k].sum = acc[k]);
    const double away = std::fabs(v - std::floor(v) - 0.5);
    if (away <= 2e-2 && v > -0.53 && v < 255.53) plain.push_back(static_cast<std::uint16_t>(i));
    wrong += away > 1e-12 && std::min(255.0, std::max(0.0, std::floor(v + 0.5))) != std::to_integer<int>(stored[k]);
  }
  CHECK(plain.size() > 10);
  CHECK(wrong > 10);
  CHECK(below > 10);
  CHECK(above > 10);
  for (const auto& one : all) {
    CHECK(one.near == plain);
    CHECK(std::includes(one.near32.begin(), one.near32.end(), plain.begin(), plain.end()));
    CHECK(one.near32 == all[0].near32);
    CHECK(one.totals.wrong == wrong);
    CHECK(one.totals.elements == n);
    CHECK(one.totals.stored == sum);
    CHECK(one.totals.below == below);
    CHECK(one.totals.above == above);
    CHECK(one.totals.largest == largest);
    CHECK(std::equal(histogram.begin(), histogram.end(), one.totals.histogram.begin()));
    CHECK(std::equal(inside.begin(), inside.end(), one.inside.begin(), [](const Inside& x, const Inside& y) { return x.count == y.count && x.sum == y.sum; }));
  }
}

TEST_CASE("measures of sums of two bytes are the same on every instruction set", "[streamed][kernels]") {
  Draw random{19};
  constexpr auto n = static_cast<std::int64_t>(near_together);
  std::vector<std::byte> a, b, stored;
  for (std::int64_t i = 0; i < n; ++i) a.push_back(static_cast<std::byte>(random(0, 255))), b.push_back(static_cast<std::byte>(random(0, 255)));
  struct Steps {
    double a, b, offset;
  };
  std::int64_t open = 0, below = 0, above = 0;
  // Steps of the last one are beyond what float32 parts hold.
  for (const Steps steps : {Steps{0.4137, 0.7519, -40.21}, Steps{0.5, 0.25, 3}, Steps{2.0 / 3, 0.9, -150.5}, Steps{7.3, 0.031, -900}, Steps{40.1, 3, -2000}}) {
    const ByteSums sums{a.data(), b.data(), false, true, steps.a, steps.b, steps.offset};
    NearTotals plain;
    std::vector<std::uint16_t> near_plain;
    std::vector<std::int64_t> histogram(40);
    NearRequest request;
    request.n = n, request.bound = request.doubt = 1e-3;
    stored.clear();
    for (std::int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<std::size_t>(i);
      const std::int32_t x = std::to_integer<int>(a[k]), y = static_cast<std::int8_t>(std::to_integer<int>(b[k]));
      const double v = x * steps.a + (y * steps.b + steps.offset), away = std::fabs(v - std::floor(v) - 0.5);
      const auto q = static_cast<int>(std::min(255.0, std::max(0.0, v + 0.5))) ^ (random(0, 200) == 0);
      stored.push_back(static_cast<std::byte>(q));
      const double error = q - std::min(255.0, std::max(0.0, v));
      plain.stored += q;
      plain.largest = std::max(plain.largest, std::fabs(error));
      add_to_histogram(histogram, error, 1);
      v < 0 ? ++plain.below : v > 255 ? ++plain.above : (plain.first += x, plain.second += y);
      const bool near = away <= request.doubt && v > -1 && v < 256;
      if (near) near_plain.push_back(static_cast<std::uint16_t>(i));
      plain.wrong += !near && std::min(255.0, std::max(0.0, std::floor(v + 0.5))) != q;
    }
    open += static_cast<std::int64_t>(near_plain.size()), below += plain.below, above += plain.above;
    request.stored = stored.data();
    for (const auto& target : supported_targets()) {
      REQUIRE(limit_target(target));
      NearTotals twice;
      for (int round = 0; round < 2; ++round) {
        std::vector<std::uint16_t> near(near_together);
        near.resize(static_cast<std::size_t>(measure(sums, request, near.data(), twice)));
        CHECK(near == near_plain);
      }
      CHECK(twice.elements == 2 * n);
      CHECK(twice.wrong == 2 * plain.wrong);
      CHECK(twice.stored == 2 * plain.stored);
      CHECK(twice.below == 2 * plain.below);
      CHECK(twice.above == 2 * plain.above);
      CHECK(twice.first == 2 * plain.first);
      CHECK(twice.second == 2 * plain.second);
      CHECK(twice.largest == plain.largest);
      CHECK(std::equal(histogram.begin(), histogram.end(), twice.histogram.begin(), [](std::int64_t one, std::int64_t two) { return 2 * one == two; }));
    }
  }
  limit_target("");
  CHECK(open > 100);
  CHECK(below > 1000);
  CHECK(above > 1000);
}

TEST_CASE("positive and negative weights are added up exactly", "[streamed][kernels]") {
  Draw random{3};
  for (const DType type : {DType::int8, DType::uint8})
    for (const std::int32_t zero : {0, 3, 128}) {
      std::vector<std::byte> bytes;
      std::int64_t positive = 0, negative = 0;
      for (int i = 0; i < 5001; ++i) {
        const std::int32_t v = type == DType::int8 ? random(-128, 127) : random(0, 255);
        bytes.push_back(static_cast<std::byte>(v & 0xFF));
        (v > zero ? positive : negative) += v - zero;
      }
      const SignedSums s = signed_sums(type, bytes.data(), static_cast<std::int64_t>(bytes.size()), zero);
      CHECK(s.positive == positive);
      CHECK(s.negative == negative);
    }
}
