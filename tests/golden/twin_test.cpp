// twin_test.cpp: elementwise operators and averages have rational twins of their own: every element agrees, one off is refused, and
// where a rule has none the suite says so.
#include <catch2/catch.hpp>

#include "golden/generate.hpp"
#include "golden/rational.hpp"
#include "golden/twin.hpp"
#include "golden/twin_rules.hpp"
#include "lib/error.hpp"

using namespace lastbit;

namespace {

VectorRequest request(const std::string& op, const std::string& profile, const std::string& suite) {
  VectorRequest r;
  r.op = op, r.profile = profile, r.suite = suite;
  return r;
}

bool says(const Vectors& v, const std::string& what) {
  for (const auto& n : v.notes)
    if (n.find(what) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("the twin of an elementwise rule computes every element, and refuses one that is one off", "[golden][twin]") {
  const std::pair<const char*, const char*> layers[] = {
      {"add", "pytorch-fbgemm"}, {"add", "pytorch-qnnpack"}, {"add", "onnxruntime"}, {"add", "tflite-reference"}, {"add", "tflite-ruy-x86"}, {"add", "xnnpack"}, {"sub", "tflm"}, {"sub", "xnnpack"},
      {"mul", "pytorch-fbgemm"}, {"mul", "onnxruntime"}, {"mul", "tflite-single-rounding"}, {"mul", "tflite-ruy-x86"}, {"mul", "xnnpack"}, {"quantize", "pytorch-fbgemm"}, {"quantize", "onnxruntime"}, {"quantize", "pt2e"},
      {"relu", "pytorch-fbgemm"}, {"relu6", "tflite-reference"}, {"hardtanh", "pytorch-fbgemm"}, {"clamp", "pytorch-fbgemm"}, {"leaky_relu", "pytorch-fbgemm"}, {"leaky_relu", "tflite-reference"}, {"leaky_relu", "xnnpack"},
      {"leaky_relu", "onnxruntime"}, {"hardswish", "pytorch-fbgemm"}, {"hardswish", "pytorch-qnnpack"}, {"avg_pool2d", "pytorch-fbgemm"}, {"avg_pool2d", "pytorch-qnnpack"}, {"avg_pool2d", "onnxruntime"},
      {"avg_pool2d", "tflite-reference"}, {"avg_pool1d", "pytorch-fbgemm"}, {"avg_pool3d", "pytorch-fbgemm"}, {"mean", "pytorch-qnnpack"}, {"mean", "tflite-reference"}, {"mean", "pytorch-fbgemm"}, {"matmul", "onnxruntime"}, {"matmul", "tflite-reference"}, {"requantize", "pytorch-fbgemm"}};
  for (const auto& [op, profile] : layers)
    for (const char* suite : {"random", "boundary"}) {
      CAPTURE(op, profile, suite);
      const Vectors v = generate(request(op, profile, suite), false);
      CHECK(says(v, "computed a second time in rational numbers"));
      for (std::size_t k = 0; k < v.cases.size(); ++k) {
        Result r = v.op->run(v.cases[k], v.cells[k]);
        auto& q = r.outputs.at("y").q;
        CHECK(check_twin(v.cases[k], *v.op, v.cells[k], r).elements == static_cast<std::int64_t>(q.size()));
        q[q.size() / 2] += q[q.size() / 2] > 0 ? -1 : 1;
        CHECK_THROWS_AS(check_twin(v.cases[k], *v.op, v.cells[k], r), InternalError);
      }
    }
}

TEST_CASE("versions and instruction sets of one kernel have their own twins", "[golden][twin][tables]") {
  for (const char* version : {"version=2.13.0", "version=2.12.0"})
    for (const char* profile : {"pytorch-fbgemm@avx2", "pytorch-fbgemm@sse4.1", "onnxruntime@sse4.1"})
      for (const char* op : {"add", "quantize", "avg_pool2d", "mean"}) {
        VectorRequest r = request(op, profile, "ties");
        r.producer = {version};
        CAPTURE(version, profile, op);
        if (std::string(profile).rfind("onnxruntime", 0) == 0 && std::string(op) == "mean") continue;  // it has none
        CHECK(says(generate(r, false), "computed a second time in rational numbers"));
      }
}

TEST_CASE("a suite says which rule has no rational twin", "[golden][twin]") {
  CHECK(says(generate(request("sigmoid", "tflite-reference", "random"), false), "none of the rule \"lut\""));
  CHECK(says(generate(request("flatten", "tflite-reference", "random"), false), "moved or chosen"));
  CHECK_FALSE(says(generate(request("linear", "tflite-reference", "random"), false), "none of the rule"));
}

TEST_CASE("a float32 step is the nearest multiple of its last bit, ties to even", "[golden][twin]") {
  using namespace rational;
  CHECK(f32(Exact(std::int64_t{16777217})).same_point(Exact(std::int64_t{16777216})));
  CHECK(f32(Exact(std::int64_t{16777219})).same_point(Exact(std::int64_t{16777220})));
  CHECK(f32(Exact(1) / Exact(3)).same_point(Exact(static_cast<double>(1.0f / 3.0f))));
  CHECK(f64(Exact(1) / Exact(3)).same_point(Exact(1.0 / 3.0)));
  CHECK(whole(Exact(-2.5), Ties::away) == -3);
  CHECK(whole(Exact(-2.5), Ties::up) == -2);
  CHECK(multiplier(Exact(0.75)).m == 1610612736);
  CHECK(multiplier(Exact(0.75)).shift == 0);
  CHECK(fixed("double_away", -6, Exact(0.25)) == -2);
  CHECK(fixed("single", -6, Exact(0.25)) == -1);
}
