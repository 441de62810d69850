// attributes_test.cpp: every attribute of every operator of the registry, made wrong in every way its declaration forbids, on a
// layer that is right otherwise. Each must be refused with its place and name.
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "lib/dump/dump.hpp"
#include "lib/layer/declared.hpp"
#include "tests/ops/layers.hpp"
#include "tests/support.hpp"
#include "verifier/evaluate.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

/// One value as it stands in a manifest, and as it is once read.
Attribute read_back(const Json& value) {
  TemporaryDump d;
  d.add("x", "uint8", npy("|u1", "(1,)", "a"));
  d.layer("l", "no_such_operator", {{"x", "x"}}, Json::object(), {{"a", value}});
  const Attribute a = d.open().layers()[0].attributes.values.at("a");
  return a;
}

bool begins(const std::string& s, const char* word) { return s.rfind(word, 0) == 0; }

const Json nested = {{"a", {1, {{"b", 2}}}}};

/// What the declaration forbids.
std::vector<Json> wrong_values(const AttributeSpec& a) {
  std::vector<Json> all{nested, Json::array({Json::array({1, 2})}), Json::array({"a", "b"})};
  const auto more = [&](std::initializer_list<Json> values) { all.insert(all.end(), values); };
  const bool at_least_one = a.what.find(">= 1") != std::string::npos, at_least_zero = a.what.find(">= 0") != std::string::npos;
  if (begins(a.what, "true")) more({1, 0, "true", 0.5, Json::array({true})});
  else if (begins(a.what, "integers")) {
    more({"1", 1.5, Json::array({1.5}), true, Json::array({true, false}), {{"min", 1}, {"max", 2}}});
    if (at_least_one || at_least_zero) more({-1, Json::array({-1, -1})});
    if (at_least_one) more({0, Json::array({0})});
  } else if (begins(a.what, "integer")) {
    more({"1", 1.5, 1e300, true, Json::array({1, 2}), Json::array(), {{"min", 1}, {"max", 2}}, UINT64_MAX});
    if (at_least_one || at_least_zero) more({-1, INT64_MIN});
    if (at_least_one) more({0});
  } else if (begins(a.what, "numbers")) {
    more({"1", true, Json::array({true}), 0, Json::array({0, 0}), Json::array({1.5, -0.5}), -2.5});
  } else if (begins(a.what, "number")) {
    more({"1", true, Json::array({1.5, 2.5}), Json::array(), {{"min", 1}, {"max", 2}}});
    if (a.what.find("> 0") != std::string::npos) more({0, -0.5});
    if (at_least_zero) more({-1e-9});
  } else {
    more({3, 0.5, true, "", "none_such", "RELU", Json::array({1}), Json::array({0.5})});
    if (a.what.find('{') == std::string::npos) more({{{"min", 1}, {"max", 2}}});
  }
  return all;
}

/// One layer that binds and passes, for every operator.
const std::map<std::string, Layer>& good_layers() {
  static const std::map<std::string, Layer> all = [] {
    std::map<std::string, Layer> found;
    for (const auto& file : fs::recursive_directory_iterator(LASTBIT_TEST_DATA)) {
      if (file.path().filename() != "manifest.json") continue;
      const Dump dump = Dump::open(file.path().parent_path());
      for (const auto& entry : dump.layers())
        if (!found.count(entry.op) && find_operator(entry.op)) found.emplace(entry.op, dump.bind(entry));
    }
    found.emplace("flip", layer_of("flip", {{"x", quantized(DType::uint8, {2, 2}, {1, 2, 3, 4}, 0.5, 3)}}, quantized(DType::uint8, {2, 2}, {2, 1, 4, 3}, 0.5, 3), {{"dims", std::vector<std::int64_t>{1}}}));
    // No runtime at hand has it.
    found.emplace("upsample_nearest1d", layer_of("upsample_nearest1d", {{"x", quantized(DType::uint8, {1, 1, 3}, {1, 2, 3}, 0.5, 3)}},
                                                 quantized(DType::uint8, {1, 1, 6}, {1, 1, 2, 2, 3, 3}, 0.5, 3), {{"output_size", std::vector<std::int64_t>{6}}}));
    return found;
  }();
  return all;
}

}  // namespace

TEST_CASE("every attribute of every operator is refused where its declaration forbids a value", "[dump][attributes]") {
  std::map<std::string, Attribute> known;  // reading a value is the same for every operator
  int tried = 0;
  for (const Operator& op : all_operators()) {
    INFO(op.name);
    REQUIRE(good_layers().count(op.name) == 1);
    const Layer& good = good_layers().at(op.name);
    REQUIRE_NOTHROW(check_declared(good, op));
    REQUIRE_NOTHROW(op.check(good));
    for (const AttributeSpec& a : op.attributes)
      for (const Json& value : wrong_values(a)) {
        const auto it = known.try_emplace(value.dump(), read_back(value)).first;
        Layer bad = good;
        bad.attributes.values[a.name] = it->second;
        INFO(a.name << " = " << value.dump() << ", declared: " << a.what);
        std::string message;
        try {
          check_declared(bad, op);
          op.check(bad);
        } catch (const Error& e) {
          message = e.what();
        }
        CHECK(message.find(good.place + ": attribute \"" + a.name + "\"") == 0);
        CHECK(message.find("expected") != std::string::npos);
        CHECK(message.find('\n') == std::string::npos);
        ++tried;
      }
  }
  CHECK(tried > 2000);
}

TEST_CASE("an attribute that an operator does not have is noted, not refused", "[dump][attributes]") {
  const Operator& op = *find_operator("relu");
  Layer l = good_layers().at("relu");
  l.attributes.values["strides"] = std::int64_t{2};
  l.attributes.values["not_judged"] = std::string("why");
  CHECK_NOTHROW(check_declared(l, op));
  CHECK(undeclared_attributes(l.attributes, op) == std::vector<std::string>{"strides"});
}

TEST_CASE("tensors without scales, of other types and shapes are refused by every operator, or computed", "[dump][attributes]") {
  for (const auto& [name, good] : good_layers()) {
    const Operator& op = *find_operator(name);
    const auto attempt = [&](Layer layer) {
      layer.facts.clear();
      try {
        layer.facts = common_facts(layer);
        if (op.facts) op.facts(layer, layer.facts);
        check_declared(layer, op);
        op.check(layer);
        for (const char* profile : {"pytorch-fbgemm", "pytorch-qnnpack", "onnxruntime", "tflite-reference"})
          if (const Cell* cell = cell_for(find_profile(profile), op, layer); cell && cell->rule != "unsupported") {
            const Result r = op.run(layer, *cell);
            if (op.real && r.outputs.count("y")) op.real(layer, r);
          }
      } catch (const Error& e) {
        CHECK(std::string(e.what()).find('\n') == std::string::npos);
      }
    };
    const std::vector<std::function<void(Tensor&)>> changes{
        [](Tensor& t) { t.q.scale.clear(), t.q.zero_point.clear(), t.q.axis = -1, t.q.group_size = 0; },
        [](Tensor& t) { t = floats(t.shape, std::vector<float>(static_cast<std::size_t>(t.size()), 0.5f)); },
        [](Tensor& t) { t = quantized(DType::int32, t.shape, std::vector<std::int32_t>(static_cast<std::size_t>(t.size()), 1), 0.5, 0); },
        [](Tensor& t) { t = quantized(DType::uint8, {}, {1}, 0.5, 0); },
        [](Tensor& t) { t = quantized(DType::uint8, {0}, {}, 0.5, 0); },
        [](Tensor& t) { t = quantized(DType::uint8, {2, 0, 3, 4}, {}, 0.5, 0); },
        [](Tensor& t) { t = quantized(DType::uint8, {7}, {1, 2, 3, 4, 5, 6, 7}, 0.5, 0); },
        [](Tensor& t) { t.q.scale.assign(1, 1e308); },
        [](Tensor& t) { t.q.scale.assign(1, 5e-324); },
    };
    for (const auto* side : {&good.inputs, &good.outputs})
      for (const auto& [port, tensor] : *side) {
        INFO(name << ": " << port);
        for (const auto& change : changes) {
          Layer bad = good;
          change((side == &good.inputs ? bad.inputs : bad.outputs).at(port));
          attempt(bad);
        }
        Layer without = good;
        (side == &good.inputs ? without.inputs : without.outputs).erase(port);
        attempt(without);
      }
  }
}
