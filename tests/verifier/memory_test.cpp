// memory_test.cpp: a dump many times as large is verified in the same memory.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/ops/layers.hpp"
#include "tests/support.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using namespace lastbit::test;

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("memory does not grow with a dump, chained or not", "[memory]") { SUCCEED("the sanitizer keeps what is freed"); }
#else
namespace {

/// Layers of 2 MiB of weights each, all identical to what the profile gives.
void write_dump(const fs::path& folder, int layers) {
  constexpr std::int64_t inputs = 2048, outputs = 1024;
  std::vector<std::int32_t> x, w;
  for (std::int64_t i = 0; i < 2 * inputs; ++i) x.push_back(static_cast<std::int32_t>(i * 7 % 256));
  for (std::int64_t i = 0; i < inputs * outputs; ++i) w.push_back(static_cast<std::int32_t>(i * i % 251) - 125);
  const Tensor tx = quantized(DType::uint8, {2, inputs}, x, 0.02, 128), tw = quantized(DType::int8, {outputs, inputs}, w, 0.003, 0);
  const Layer layer = layer_of("linear", {{"x", tx}, {"weight", tw}}, quantized(DType::uint8, {2, outputs}, std::vector<std::int32_t>(2 * outputs), 0.5, 128), {}, {{"framework", "onnxruntime"}, {"isa", "avx512_vnni"}});
  const auto y = computed(layer, "onnxruntime").q;
  const auto bytes = [](const auto& values) {
    std::string s;
    for (const auto v : values) s += static_cast<char>(v);
    return s;
  };
  Json manifest{{"format", "lastbit-dump"}, {"version", 1}, {"producer", {{"framework", "onnxruntime"}, {"isa", "avx512_vnni"}}}, {"profile", "onnxruntime"}, {"layers", Json::array()}};
  write_file(folder / "x.npy", npy("|u1", "(2, 2048)", bytes(x)));
  write_file(folder / "y.npy", npy("|u1", "(2, 1024)", bytes(y)));
  manifest["tensors"]["x"] = {{"file", "x.npy"}, {"dtype", "uint8"}, {"scale", 0.02}, {"zero_point", 128}};
  const std::string weights = npy("|i1", "(1024, 2048)", bytes(w));
  for (int i = 0; i < layers; ++i) {
    const std::string n = std::to_string(i);
    write_file(folder / ("w" + n + ".npy"), weights);
    manifest["tensors"]["w" + n] = {{"file", "w" + n + ".npy"}, {"dtype", "int8"}, {"scale", 0.003}, {"zero_point", 0}};
    manifest["tensors"]["y" + n] = {{"file", "y.npy"}, {"dtype", "uint8"}, {"scale", 0.5}, {"zero_point", 128}};
    manifest["layers"].push_back({{"name", "fc" + n}, {"op", "linear"}, {"inputs", {{"x", "x"}, {"weight", "w" + n}}}, {"outputs", {{"y", "y" + n}}}});
  }
  write_file(folder / "manifest.json", manifest.dump());
}

/// Largest resident set, in KiB, of a process that verifies the dump; -1 when it is not identical.
long resident(const fs::path& folder, bool chained) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int status = 1;
    try {
      VerifyOptions options;
      options.dumps = {folder.string()};
      options.jobs = 1;
      options.chained = chained;
      options.causes = false;
      options.forms = {"integer"};
      status = verify_dumps(options).verdict() == Verdict::identical ? 0 : 1;
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  struct rusage usage {};
  REQUIRE(::wait4(child, &status, 0, &usage) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? usage.ru_maxrss : -1;
}

}  // namespace

TEST_CASE("memory does not grow with a dump, chained or not", "[memory]") {
  const TemporaryFolder small, large;
  write_dump(small.path, 24);
  write_dump(large.path, 96);
  for (const bool chained : {false, true}) {
    const long few = resident(small.path, chained), many = resident(large.path, chained);
    REQUIRE(few > 0);
    REQUIRE(many > 0);
    CHECK(many - few < 16 * 1024);  // the larger one has 144 MiB more
  }
}
#endif
