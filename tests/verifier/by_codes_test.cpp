// by_codes_test.cpp: layers judged by their codes, their bytes or as another operator say what the whole computation says.
#include "verifier/by_codes.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "lib/kernels/max_bytes.hpp"
#include "lib/kernels/target.hpp"
#include "lib/rules/sum.hpp"
#include "tests/ops/layers.hpp"
#include "tests/verifier/numbers.hpp"
#include "verifier/as_linear.hpp"
#include "verifier/byte_sums.hpp"
#include "verifier/cat_codes.hpp"
#include "verifier/forms.hpp"
#include "verifier/moved.hpp"
#include "verifier/rivals.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

Tensor random_tensor(Draw& random, DType type, Shape shape, double scale, std::int32_t least = 0, std::int32_t most = 255) {
  const auto lo = static_cast<std::int32_t>(info(type).min);
  std::vector<std::int32_t> v;
  for (std::int64_t i = count(shape); i > 0; --i) v.push_back(lo + random(least, most));
  return quantized(type, std::move(shape), std::move(v), scale, lo + random(0, 255));
}

/// The layer with what the cell gives as its output; none where it cannot.
bool observe(Layer& layer, const Operator& op, const Cell& cell) {
  const Tensor y = layer.out();
  try {
    if (op.check) op.check(layer);
    const Result r = op.run(layer, cell);
    const Computed& c = r.outputs.at("y");
    if (!c.undefined.empty() || c.q.empty()) return false;
    layer.outputs.at("y") = Tensor::of_integers("t", y.dtype, y.shape, y.q, c.q);
    layer.outputs.at("y").memory_layout = y.memory_layout;
    return true;
  } catch (const Error&) {
    return false;
  }
}

void same_as_whole(const Streamed& s, const Evaluated& e) {
  const Computed& y = e.result.outputs.at("y");
  EventCounts n;
  for (const auto flags : y.events) {
    n.tie += (flags & event::tie) != 0, n.clamped += (flags & event::clamped) != 0, n.saturated += (flags & event::saturated) != 0;
    n.wrapped += (flags & event::wrapped) != 0, n.inexact_float += (flags & event::inexact_float) != 0;
  }
  CHECK(e.mismatches() == 0);
  CHECK(s.mismatches == 0);
  CHECK(s.elements == e.layer.out().size());
  CHECK(s.acc_min == e.result.acc_min);
  CHECK(s.acc_max == e.result.acc_max);
  CHECK(s.events.tie == n.tie);
  CHECK(s.events.clamped == n.clamped);
  CHECK(s.events.saturated == n.saturated);
  CHECK(s.events.wrapped == n.wrapped);
  CHECK(s.events.inexact_float == n.inexact_float);
}

/// The float and the exact form of a layer that agrees, against those of the whole computation.
void same_forms(const Streamed& s, const Layer& layer, const Operator& op, const Evaluated& e) {
  const Real real = op.real(layer, e.result);
  const ExactSummary exact = exact_form(layer, e.result.outputs.at("y"), real);
  CHECK(s.exact.histogram == exact.histogram);
  CHECK(s.exact.ties == exact.ties);
  CHECK(s.exact.not_correctly_rounded == exact.not_correctly_rounded);
  CHECK(s.exact.max_error_lsb == exact.max_error_lsb);
  CHECK(s.exact.mean_error_lsb == exact.mean_error_lsb);
  const FloatSummary floats = float_form(layer, real);
  REQUIRE(s.float_form);
  CHECK(s.float_form->mismatches == floats.mismatches);
  CHECK(s.float_form->max_lsb == floats.max_lsb);
  CHECK(s.float_form->float64_mismatches == floats.float64_mismatches);
  CHECK(s.float_form->float64_max_lsb == floats.float64_max_lsb);
}

bool rival_agrees(const Layer& layer, const Operator& op, const RivalCell& rival) {
  try {
    const Evaluated e = evaluate(as_rival(layer, op, rival), op, rival.cell);
    return e.compared.count("y") && e.mismatches() == 0;
  } catch (const Error&) {
    return false;
  }
}

const std::map<std::string, std::string> runtimes[] = {{{"framework", "pytorch"}, {"version", "2.13.0"}, {"isa", "avx512_vnni"}},
                                                       {{"framework", "onnxruntime"}, {"isa", "avx512_vnni"}},
                                                       {{"framework", "litert"}, {"version", "2.3.0"}, {"isa", "neon_dotprod"}}};

}  // namespace

TEST_CASE("a layer judged by its codes has the events, accumulators and evidence of the whole computation, in every profile", "[codes]") {
  const std::map<std::string, std::map<std::string, Attribute>> attributes{{"clamp", {{"min", -1.5}, {"max", 2.0}}}, {"hardtanh", {}}, {"threshold", {{"threshold", 0.25}, {"value", 0.5}}}};
  Draw random{5};
  std::set<std::string> judged;
  int layers = 0, lines = 0, alike = 0, unlike = 0, near = 0;
  for (const char* name : {"add", "sub", "mul", "relu", "relu6", "clamp", "hardtanh", "threshold", "leaky_relu", "elu", "celu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "requantize"})
    for (const auto& producer : runtimes)
      for (const auto& profile : all_profiles()) {
        const Shape shapes[] = {{2, 5, 7, 50}, {2048}, {61}};
        const Shape& shape = shapes[random(0, 2)];
        const Operator& op = *find_operator(name);
        const DType type = producer.at("framework") == "litert" || random(0, 1) ? DType::int8 : DType::uint8;
        const bool two = op.inputs.size() == 2 && op.inputs[0].name == "a", ties = random(0, 2) == 0;
        std::map<std::string, Tensor> inputs{{two ? "a" : "x", random_tensor(random, type, shape, ties ? 0.25 : random.scale())}};
        if (two) inputs["b"] = random_tensor(random, type, shape, ties ? 0.5 : random.scale(), 30, 220);
        const auto extra = attributes.find(name);
        Layer layer = layer_of(name, inputs, random_tensor(random, type, shape, ties ? 0.5 : random.scale()), extra == attributes.end() ? std::map<std::string, Attribute>{} : extra->second, producer);
        const Cell* cell = cell_for(profile, op, layer);
        if (!cell || !observe(layer, op, *cell)) continue;
        INFO(name << " " << profile.name << " " << to_string(shape) << " " << lastbit::name(type));
        const auto rivals = rival_cells(layer, op);
        const Evaluated e = evaluate(layer, op, *cell);
        const bool has_line = two && std::string(name) != "mul" && near_doubt(layer, *cell) <= sum_doubt && cell->rule != "gemmlowp";
        for (const bool along : {false, true}) {
          if (along && !has_line) continue;
          INFO((along ? "along the real sum" : "by a table"));
          std::vector<bool> open;
          const auto s = (along ? judge_byte_sums : judge_codes)({layer, {}, {}}, op, *cell, {true, true, *rivals, &open});
          REQUIRE(s);
          lines += along;
          same_as_whole(*s, e);
          same_forms(*s, layer, op, e);
          for (std::size_t k = 0; k < rivals->size(); ++k) {
            INFO((*rivals)[k].label);
            CHECK_FALSE(open[k]);
            const bool same = rival_agrees(layer, op, (*rivals)[k]);
            CHECK(s->alike[k] == same);
            alike += same, unlike += !same;
            near += along && near_doubt(layer, (*rivals)[k].cell) <= sum_doubt;
          }
        }
        judged.insert(name);
        ++layers;
        // One other byte, anywhere: not agreed.
        for (const std::int64_t at : {std::int64_t{0}, layer.out().size() / 2, layer.out().size() - 1}) {
          auto changed = std::make_shared<std::vector<std::byte>>(layer.out().data, layer.out().data + layer.out().size());
          (*changed)[static_cast<std::size_t>(at)] ^= std::byte{1};
          Layer other = layer;
          other.outputs.at("y").data = changed->data();
          other.outputs.at("y").owner = changed;
          CHECK_FALSE(judge_codes({other, {}, {}}, op, *cell, {}));
          if (has_line) CHECK_FALSE(judge_byte_sums({other, {}, {}}, op, *cell, {}));
        }
      }
  CHECK(judged.size() >= 15);
  CHECK(layers > 150);
  CHECK(alike > 150);
  CHECK(unlike > 150);
  CHECK(lines > 20);
  CHECK(near > 60);
}

TEST_CASE("bytes side by side are judged by the codes of each part, in every profile and order of memory", "[codes]") {
  Draw random{17};
  int layers = 0, alike = 0, unlike = 0, undecided = 0, blocks = 0, clamps = 0, equal_qparams = 0;
  const Operator& op = *find_operator("cat");
  for (const auto& producer : runtimes)
    for (const auto& profile : all_profiles())
      for (int round = 0; round < 4; ++round) {
        const DType type = producer.at("framework") == "litert" || random(0, 1) ? DType::int8 : DType::uint8;
        const bool nhwc = round % 2 == 1, equal = random(0, 3) == 0, ties = random(0, 2) == 0;
        const std::int64_t dim = nhwc ? 1 : random(0, 3), parts = random(1, 3);
        Shape shape{2, 20, 16, 24};
        if (dim == 0) shape[0] = 1;
        std::map<std::string, Tensor> inputs;
        std::int64_t extent = 0;
        const Tensor first = random_tensor(random, type, {1}, ties ? 0.25 : random.scale());
        for (std::int64_t k = 0; k < parts; ++k) {
          Shape part = shape;
          part[static_cast<std::size_t>(dim)] = dim == 0 ? 1 + random(0, 2) : 8 + random(0, 17);
          extent += part[static_cast<std::size_t>(dim)];
          Tensor t = random_tensor(random, type, part, equal ? first.q.scale_of(0) : ties ? 0.25 * random(1, 4) : random.scale());
          if (equal) t.q.zero_point = first.q.zero_point;
          t.memory_layout = nhwc ? "NHWC" : "";
          inputs.emplace("x" + std::to_string(k), std::move(t));
        }
        shape[static_cast<std::size_t>(dim)] = extent;
        Tensor y = random_tensor(random, type, shape, equal ? first.q.scale_of(0) : ties ? 0.5 : random.scale());
        if (equal) y.q.zero_point = first.q.zero_point;
        y.memory_layout = nhwc ? "NHWC" : "";
        Layer layer = layer_of("cat", inputs, y, {{"dim", dim}, {"activation", std::string(random(0, 3) ? "none" : "relu")}}, producer);
        const Cell* cell = cell_for(profile, op, layer);
        if (!cell || !observe(layer, op, *cell)) continue;
        INFO(profile.name << " " << to_string(shape) << " along " << dim << " " << lastbit::name(type) << " " << cell->rule);
        const auto rivals = rival_cells(layer, op);
        std::vector<bool> open;
        const auto s = judge_cat({layer, {}, {}}, op, *cell, {true, true, *rivals, &open});
        REQUIRE(s);
        const Evaluated e = evaluate(layer, op, *cell);
        same_as_whole(*s, e);
        same_forms(*s, layer, op, e);
        ++layers, blocks += cell->rule == "aten_nhwc", clamps += s->events.clamped > 0, equal_qparams += equal;
        for (std::size_t k = 0; k < rivals->size(); ++k) {
          INFO((*rivals)[k].label);
          if (open[k]) {
            ++undecided;
            continue;
          }
          const bool same = rival_agrees(layer, op, (*rivals)[k]);
          CHECK(s->alike[k] == same);
          alike += same, unlike += !same;
        }
        auto changed = std::make_shared<std::vector<std::byte>>(layer.out().data, layer.out().data + layer.out().size());
        (*changed)[static_cast<std::size_t>(random(0, static_cast<std::int32_t>(layer.out().size()) - 1))] ^= std::byte{1};
        layer.outputs.at("y").data = changed->data();
        layer.outputs.at("y").owner = changed;
        CHECK_FALSE(judge_cat({layer, {}, {}}, op, *cell, {}));
      }
  CHECK(layers > 100);
  CHECK(blocks > 10);
  CHECK(clamps > 30);
  CHECK(equal_qparams > 10);
  CHECK(alike > 100);
  CHECK(unlike > 100);
  CHECK(undecided * 10 < alike + unlike);
}

TEST_CASE("codes: a layout or a broadcast that a kernel's vectors could depend on is computed as a whole", "[codes]") {
  Draw random{6};
  const Operator& op = *find_operator("add");
  const auto judged = [&](const std::string& profile, const Shape& a, const Shape& b, const std::string& memory, const std::map<std::string, std::string>& producer) {
    std::map<std::string, Tensor> inputs{{"a", random_tensor(random, DType::uint8, a, 0.1)}, {"b", random_tensor(random, DType::uint8, b, 0.2)}};
    for (auto& [port, t] : inputs) t.memory_layout = memory;
    Layer layer = layer_of("add", inputs, random_tensor(random, DType::uint8, a, 0.3), {}, producer);
    layer.outputs.at("y").memory_layout = memory;
    const Cell* cell = cell_for(find_profile(profile), op, layer);
    REQUIRE(observe(layer, op, *cell));
    const auto rivals = rival_cells(layer, op);
    std::vector<bool> open;
    const auto s = judge_codes({layer, {}, {}}, op, *cell, {false, false, *rivals, &open});
    for (std::size_t k = 0; s && k < rivals->size(); ++k)
      if (!open[k]) CHECK(s->alike[k] == rival_agrees(layer, op, (*rivals)[k]));
    if (s) same_as_whole(*s, evaluate(layer, op, *cell));
    return s.has_value();
  };
  CHECK(judged("pytorch-fbgemm", {2, 8, 8, 8}, {2, 8, 8, 8}, "NHWC", runtimes[0]));       // whole vectors in any order
  CHECK_FALSE(judged("pytorch-fbgemm", {2, 9, 5, 7}, {2, 9, 5, 7}, "NHWC", runtimes[0]));
  CHECK(judged("onnxruntime", {2, 9, 5, 7}, {2, 9, 5, 7}, "NHWC", runtimes[1]));          // no vector that matters
  CHECK_FALSE(judged("onnxruntime", {2, 9, 5, 7}, {7}, "", runtimes[1]));
}

TEST_CASE("a sum's rules give the nearest integer wherever the real sum is farther from a boundary than the doubt", "[codes][add]") {
  Draw random{8};
  std::vector<std::int32_t> first, second;
  for (std::int32_t a = 0; a < 256; ++a)
    for (std::int32_t b = 0; b < 256; ++b) first.push_back(a), second.push_back(b);
  std::set<std::string> rules;
  int far = 0;
  for (int round = 0; round < 24; ++round) {
    const bool is_signed = random(0, 1), sub = random(0, 3) == 0;
    const DType type = is_signed ? DType::int8 : DType::uint8;
    const std::int32_t lo = is_signed ? -128 : 0;
    auto a = first, b = second;
    for (auto* v : {&a, &b}) for (auto& q : *v) q += lo;
    const double so = random.scale(), wide = round % 3 ? 1 : 8;  // up to the largest ratios that near_doubt() knows
    const Layer layer = layer_of(sub ? "sub" : "add", {{"a", quantized(type, {1 << 16}, a, random.scale() * wide, lo + random(0, 255))}, {"b", quantized(type, {1 << 16}, b, random.scale() / wide, lo + random(0, 255))}},
                                 quantized(type, {1 << 16}, a, so, lo + random(0, 255)), {}, runtimes[round % 3]);
    const Operator& op = *find_operator(layer.op);
    const auto rivals = rival_cells(layer, op);
    const auto real = [&](std::size_t i) {
      const Tensor &x = layer.in("a"), &w = layer.in("b"), &y = layer.out();
      return (x.q.scale_of(0) * (a[i] - x.q.zero_point_of(0)) + (sub ? -1 : 1) * w.q.scale_of(0) * (b[i] - w.q.zero_point_of(0))) / y.q.scale_of(0) + y.q.zero_point_of(0);
    };
    for (const auto& rival : *rivals) {
      const double doubt = near_doubt(layer, rival.cell);
      if (doubt > sum_doubt) continue;
      INFO(rival.label << " " << layer.op);
      const Result r = op.run(as_rival(layer, op, rival), rival.cell);
      const auto& q = r.outputs.at("y").q;
      int wrong = 0;
      for (std::size_t i = 0; i < q.size(); ++i) {
        const double v = real(i) + 0.5, whole = std::floor(v);
        if (v - whole <= doubt || whole + 1 - v <= doubt) continue;
        ++far;
        wrong += q[i] != std::clamp(whole, static_cast<double>(lo), static_cast<double>(lo + 255));
      }
      CHECK(wrong == 0);
      rules.insert(rival.cell.rule);
    }
  }
  CHECK(rules.size() == 5);
  CHECK(far > 1000000);
}

TEST_CASE("a move is judged on its bytes: permute, transpose, reshape, flatten", "[codes][move]") {
  Draw random{9};
  const Shape from{3, 4, 5, 6};
  const struct { const char* op; Shape to; std::map<std::string, Attribute> attributes; } moves[] = {
      {"permute", {3, 5, 6, 4}, {{"dims", std::vector<std::int64_t>{0, 2, 3, 1}}}}, {"permute", {6, 4, 3, 5}, {{"dims", std::vector<std::int64_t>{3, 1, 0, 2}}}},
      {"transpose", {3, 6, 5, 4}, {{"dim0", std::int64_t{1}}, {"dim1", std::int64_t{-1}}}}, {"reshape", {12, 30}, {}}, {"flatten", {3, 120}, {{"start_dim", std::int64_t{1}}}}};
  for (const auto& move : moves)
    for (const DType type : {DType::uint8, DType::int8, DType::int16, DType::int32}) {
      INFO(move.op << " " << lastbit::name(type));
      Layer layer = layer_of(move.op, {{"x", random_tensor(random, type, from, 0.5)}}, random_tensor(random, type, move.to, 0.5), move.attributes);
      layer.inputs.at("x").q.zero_point = layer.outputs.at("y").q.zero_point = {0};
      const Operator& op = *find_operator(move.op);
      const Cell* cell = cell_for(find_profile("onnxruntime"), op, layer);
      REQUIRE(observe(layer, op, *cell));
      const auto rivals = rival_cells(layer, op);
      std::vector<bool> open;
      const bool forms = info(type).bits <= 8;
      const auto s = judge_moved({layer, {}, {}}, op, {forms, forms, *rivals, &open});
      REQUIRE(s);
      const Evaluated e = evaluate(layer, op, *cell);
      same_as_whole(*s, e);
      if (forms) same_forms(*s, layer, op, e);
      else CHECK_FALSE(judge_moved({layer, {}, {}}, op, {true, false, {}, nullptr}));
      for (std::size_t k = 0; k < rivals->size(); ++k) {
        CHECK_FALSE(open[k]);
        CHECK(s->alike[k] == rival_agrees(layer, op, (*rivals)[k]));
      }
      auto values = layer.out().i32();
      values[values.size() / 3] ^= 1;
      layer.outputs.at("y") = Tensor::of_integers("t", type, move.to, layer.out().q, values);
      CHECK_FALSE(judge_moved({layer, {}, {}}, op, {}));
    }
}

TEST_CASE("a max pool is judged on its bytes, with its channels first or last", "[codes][move]") {
  Draw random{10};
  int open_rivals = 0;
  for (const DType type : {DType::uint8, DType::int8})
    for (const bool last : {false, true})
      for (const std::int64_t dilation : {1, 2})
        for (const bool clamps : {false, true}) {
          std::map<std::string, Attribute> attributes{{"kernel_size", std::int64_t{3}}, {"stride", std::int64_t{2}}, {"padding", std::int64_t{1}}, {"dilation", dilation}};
          const std::int64_t lo = info(type).min;
          if (clamps) attributes["activation"] = Clamp{lo + 60, lo + 200};
          const std::int64_t out = (11 + 2 - 2 * dilation - 1) / 2 + 1;
          Tensor y = random_tensor(random, type, {2, 19, out, out}, 0.5);
          Layer layer = layer_of("max_pool2d", {{"x", random_tensor(random, type, {2, 19, 11, 11}, 0.5)}}, y, attributes);
          layer.inputs.at("x").q.zero_point = layer.outputs.at("y").q.zero_point = {0};
          const Operator& op = *find_operator("max_pool2d");
          const Cell* cell = cell_for(find_profile("onnxruntime"), op, layer);
          REQUIRE(observe(layer, op, *cell));
          StoredLayer stored{layer, {}, {}};
          std::vector<Tensor> held;
          if (last)
            for (auto [tensors, bytes, port] : {std::tuple(&stored.layer.inputs, &stored.inputs, "x"), std::tuple(&stored.layer.outputs, &stored.outputs, "y")}) {
              Tensor& t = tensors->at(port);
              held.push_back(permuted(t, {0, 2, 3, 1}));
              (*bytes)[port] = held.back().data;
              t.data = nullptr;
              t.stored_axes = {0, 3, 1, 2};
            }
          const auto rivals = rival_cells(layer, op);
          std::vector<bool> open;
          const auto s = judge_max_pool(stored, op, *cell, {true, true, *rivals, &open});
          REQUIRE(s);
          const Evaluated e = evaluate(layer, op, *cell);
          same_as_whole(*s, e);
          same_forms(*s, layer, op, e);
          for (std::size_t k = 0; k < rivals->size(); ++k) {
            if (!open[k]) CHECK(s->alike[k] == rival_agrees(layer, op, (*rivals)[k]));
            open_rivals += open[k];
          }
          Cell border = *cell;
          border.with["outside"] = "border";
          CHECK(judge_max_pool(stored, op, border, {}).has_value() == (dilation == 1));
          auto values = layer.out().i32();
          const auto at = values.size() / 2;
          values[at] = static_cast<std::int32_t>(values[at] == lo ? lo + 1 : values[at] - 1);
          Layer other = layer;
          other.outputs.at("y") = Tensor::of_integers("t", type, y.shape, y.q, values);
          CHECK_FALSE(judge_max_pool({other, {}, {}}, op, *cell, {}));
        }
  CHECK(open_rivals > 0);
}

TEST_CASE("the larger of two rows of bytes, on every instruction set", "[codes][kernels]") {
  for (const auto& target : supported_targets()) {
    REQUIRE(limit_target(target));
    for (const bool is_signed : {false, true})
      for (const std::int64_t n : {0, 1, 15, 64, 131}) {
        std::vector<std::byte> a, b;
        for (std::int64_t i = 0; i < n; ++i) a.push_back(static_cast<std::byte>(i * 37 & 0xFF)), b.push_back(static_cast<std::byte>(i * 91 + 5 & 0xFF));
        auto most = a;
        max_bytes(is_signed, most.data(), b.data(), n);
        int wrong = 0;
        for (std::size_t i = 0; i < most.size(); ++i) {
          const auto value = [&](std::byte v) { return is_signed ? int{static_cast<std::int8_t>(v)} : std::to_integer<int>(v); };
          wrong += value(most[i]) != std::max(value(a[i]), value(b[i]));
        }
        CHECK(wrong == 0);
      }
  }
  limit_target("");
}

TEST_CASE("a matrix product streamed as a linear layer is the whole computation's", "[codes][matmul]") {
  Draw random{12};
  int streamed = 0, products = 0, float_forms = 0;
  for (const bool turned : {false, true})
    for (const bool per_channel : {false, true})
      for (const bool bias : {false, true})
        for (const std::int64_t K : {31, 64}) {
          const std::int64_t M = 6, N = 35;
          Tensor b = random_tensor(random, DType::int8, turned ? Shape{N, K} : Shape{K, N}, 0.01);
          b.q.zero_point = {0};
          if (per_channel) {
            b.q.axis = turned ? 0 : 1;
            b.q.scale.clear(), b.q.zero_point.assign(static_cast<std::size_t>(N), 0);
            for (std::int64_t n = 0; n < N; ++n) b.q.scale.push_back(static_cast<double>(0.0011f * static_cast<float>(random(5, 25))));
          }
          std::map<std::string, Tensor> inputs{{"a", random_tensor(random, DType::uint8, {2, M / 2, K}, 0.02)}, {"b", b}};
          if (bias) {
            std::vector<std::int32_t> v;
            for (std::int64_t n = 0; n < N; ++n) v.push_back(random(-3000, 3000));
            inputs["bias"] = Tensor::of_integers("t", DType::int32, {N}, {}, v);
          }
          Layer layer = layer_of("matmul", inputs, random_tensor(random, DType::uint8, {2, M / 2, N}, 0.3), {{"transpose_b", turned}}, runtimes[1]);
          const Operator& op = *find_operator("matmul");
          const Cell* cell = cell_for(find_profile("onnxruntime"), op, layer);
          REQUIRE(cell);
          REQUIRE(observe(layer, op, *cell));
          const auto linear = as_linear({layer, {}, {}});
          REQUIRE(linear);
          const auto bounds = stored_matmul_bounds(layer, *linear, *cell), proved = accumulator_bounds(layer, op, *cell);
          REQUIRE(bounds);
          CHECK(bounds->min == proved->min);
          CHECK(bounds->max == proved->max);
          const auto rivals = rival_cells(layer, op);
          std::vector<bool> open;
          const auto s = stream_layer(*linear, *find_operator("linear"), *cell, {true, true, *rivals, &open});
          REQUIRE(s);
          const Evaluated e = evaluate(layer, op, *cell);
          same_as_whole(*s, e);
          const ExactSummary exact = exact_form(layer, e.result.outputs.at("y"), op.real(layer, e.result));
          CHECK(s->exact.histogram == exact.histogram);
          CHECK(s->exact.not_correctly_rounded == exact.not_correctly_rounded);
          CHECK(s->exact.max_error_lsb == exact.max_error_lsb);
          CHECK(s->exact.mean_error_lsb == exact.mean_error_lsb);
          CHECK(same_float_form(layer) == !bias);
          if (same_float_form(layer) && s->float_form) {
            const FloatSummary floats = float_form(layer, op.real(layer, e.result));
            CHECK(s->float_form->mismatches == floats.mismatches);
            CHECK(s->float_form->max_lsb == floats.max_lsb);
            CHECK(s->float_form->float64_mismatches == floats.float64_mismatches);
            CHECK(s->float_form->float64_max_lsb == floats.float64_max_lsb);
            ++float_forms;
          }
          rule_out_products_without_bias(*linear, *rivals, open);
          for (std::size_t k = 0; k < rivals->size(); ++k) {
            INFO((*rivals)[k].label);
            if (!open[k]) CHECK(s->alike[k] == rival_agrees(layer, op, (*rivals)[k]));
            products += (*rivals)[k].cell.rule == "float_quantize" && !open[k];
          }
          ++streamed;
        }
  CHECK(streamed == 16);
  CHECK(products > 0);
  CHECK(float_forms > 0);
  CHECK_FALSE(as_linear({layer_of("matmul", {{"a", random_tensor(random, DType::uint8, {2, 3, 4}, 1)}, {"b", random_tensor(random, DType::uint8, {2, 4, 5}, 1)}}, random_tensor(random, DType::uint8, {2, 3, 5}, 1), {}), {}, {}}));
}
