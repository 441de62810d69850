// golden_test.cpp: suites reach what they promise, are what the profile computes, are the same bytes everywhere, and find planted
// faults; every emitted form is read by somebody else: a C and a C++ compiler, a Verilog simulator, the dump reader.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "golden/check.hpp"
#include "golden/checksum.hpp"
#include "golden/generate.hpp"
#include "golden/matrix.hpp"
#include "golden/observed.hpp"
#include "golden/twin.hpp"
#include "golden/writer.hpp"
#include "tests/support.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/identify.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using lastbit::test::TemporaryFolder;

namespace {

std::int64_t reached_in(const Vectors& v, const std::string& what) {
  for (const auto& r : v.reached)
    if (r.what == what) return r.count;
  return 0;
}

VectorRequest request(const std::string& op, const std::string& profile, const std::string& suite, std::optional<std::int64_t> count = {}) {
  VectorRequest r;
  r.op = op, r.profile = profile, r.suite = suite, r.count = count;
  return r;
}

std::int64_t mismatches(const std::string& dump) {
  VerifyOptions o;
  o.dumps = {dump};
  o.causes = false;
  o.jobs = 1;
  o.forms = {"integer"};
  const Report report = verify_dumps(o);
  std::int64_t n = 0;
  for (const auto& l : report.layers) {
    CAPTURE(l.name, l.reason);
    CHECK(l.verdict != Verdict::not_checked);
    n += l.mismatches;
  }
  return n;
}

void emit(const Vectors& v, const std::string& form, const std::string& path) { find_writer(form).write(v, path); }

int shell(const std::string& command) { return std::system((command + " > /dev/null 2>&1").c_str()); }
bool have(const std::string& program) { return shell("command -v " + program) == 0; }

/// The suite as a device that computes by another profile answers it.
Answers answers(const SuiteRead& suite, const std::string& profile) {
  Answers o;
  for (const auto& layer : suite.cases) {
    const Operator& op = *find_operator(layer.op);
    const auto choice = ProfileChoice::parse(profile);
    Layer as = layer;
    if (!choice.isa.empty()) {
      as.producer.fields["isa"] = choice.isa;
      set_producer(as, &op, as.producer);
    }
    const Result r = op.run(as, *cell_for(find_profile(choice.name), op, as));
    const Computed& y = r.outputs.at("y");
    o.values.insert(o.values.end(), y.q.begin(), y.q.end());
  }
  return o;
}

}  // namespace

TEST_CASE("the generator is SplitMix64, and ranges are the high half of a product", "[golden][random]") {
  // Steele, Lea, Flood: the first outputs from state 1234567 (the reference implementation prints them).
  test::Random reference{1234567 ^ 0xCBF29CE484222325u};
  Random ours(1234567, "");
  for (int i = 0; i < 5; ++i) CHECK(ours.next() == reference.next());
  Random other(1234567, "x");
  CHECK(other.next() != Random(1234567, "").next());
  Random range(7, "range");
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(range.below(5));
  CHECK(seen == std::set<std::uint64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("suites of every operator and profile are what verify recomputes", "[golden][all][tables]") {
  std::int64_t suites = 0, refused = 0;
  for (const auto& op : all_operators())
    for (const auto& p : all_profiles()) {
      const TemporaryFolder folder;
      const std::string dump = (folder.path / "d").string();
      CAPTURE(op.name, p.name);
      try {
        const Vectors v = generate(request(op.name, p.name, "random", 4), false);
        emit(v, "dump", dump);
        CHECK(mismatches(dump) == 0);
        ++suites;
      } catch (const Error& e) {
        CAPTURE(e.what());
        CHECK(std::string(e.what()).find("does not compute") != std::string::npos);
        ++refused;
      }
    }
  CHECK(suites > 700);
  CHECK(refused > 0);
}

TEST_CASE("ties are reached on, below and above, of both signs, with odd and even zero points", "[golden][ties][tables]") {
  for (const char* op : {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose2d", "requantize"})
    for (const char* profile : {"cmsis-nn", "pytorch-fbgemm", "pytorch-fbgemm@avx2", "pytorch-qnnpack", "onnxruntime", "tflite-ruy-x86", "xnnpack", "tosa"}) {
      if (std::string(op) == "requantize" && (std::string(profile).rfind("pytorch", 0) == 0 || std::string(profile) == "onnxruntime")) continue;
      CAPTURE(op, profile);
      const Vectors v = generate(request(op, profile, "ties"), false);
      for (const char* what : {"exact tie", "tie, negative", "tie, positive", "tie, odd zero point", "tie, even zero point", "one below a tie", "one above a tie"}) {
        CAPTURE(what);
        CHECK(reached_in(v, what) > 0);
      }
    }
  VectorRequest depthwise = request("conv2d", "pytorch-fbgemm", "ties");
  depthwise.attributes = {"groups=8"};
  CHECK(reached_in(generate(depthwise, false), "exact tie") > 50);
  for (const char* op : {"add", "mul", "avg_pool2d", "quantize", "leaky_relu"}) {
    CAPTURE(op);
    CHECK(reached_in(generate(request(op, "pytorch-fbgemm", "ties"), false), "exact tie") > 0);
  }
}

TEST_CASE("clamps, wraps and saturating pairs are reached where they exist", "[golden][reach]") {
  const Vectors clamp = generate(request("conv2d", "cmsis-nn", "clamp"), false);
  CHECK(reached_in(clamp, "first clamped") > 0);
  CHECK(reached_in(clamp, "last not clamped") > 0);
  CHECK(clamp.cases.size() == 3);
  CHECK(reached_in(generate(request("linear", "cmsis-nn", "overflow"), false), "wrapped") > 0);
  CHECK(reached_in(generate(request("linear", "pytorch-fbgemm@avx2", "pairs"), false), "pair saturated") > 0);
  CHECK(reached_in(generate(request("conv2d", "onnxruntime@avx2", "pairs"), false), "pair saturated") > 0);
  CHECK_THROWS_AS(generate(request("linear", "cmsis-nn", "pairs"), false), Error);  // int8 inputs: no pair is beyond int16
  CHECK(reached_in(generate(request("add", "pytorch-fbgemm", "exhaustive"), false), "elements") == 65536);
  CHECK(reached_in(generate(request("sigmoid", "tflite-reference", "exhaustive"), false), "elements") == 256);
  CHECK(reached_in(generate(request("requantize", "tosa", "exhaustive"), false), "elements") == 4096);
  CHECK_THROWS_AS(generate(request("conv2d", "tosa", "exhaustive"), false), Error);
}

TEST_CASE("elementwise layers and averages reach both sides of the ends of their range", "[golden][reach]") {
  for (const auto& [op, profile] : {std::pair("add", "onnxruntime"), std::pair("mul", "tflite-reference"), std::pair("matmul", "onnxruntime"), std::pair("mean", "pytorch-fbgemm"), std::pair("avg_pool2d", "cmsis-nn")}) {
    CAPTURE(op, profile);
    const Vectors v = generate(request(op, profile, "clamp"), false);
    std::set<std::int64_t> outputs;
    const Tensor& y = v.cases[0].out("y");
    for (std::int64_t i = 0; i < y.size(); ++i) outputs.insert(y.integer(i));
    CHECK(outputs.count(y.q.qmin) + outputs.count(y.q.qmax) > 0);
    CHECK(outputs.size() >= 5);  // not the ends alone
  }
  CHECK(generate(request("matmul", "onnxruntime", "random"), true).mistrusted.size() <= 1);  // no tie, but not clamped mostly
}

TEST_CASE("the same request makes the same bytes, another seed others", "[golden][bytes]") {
  const Vectors a = generate(request("conv2d", "cmsis-nn", "ties"), false), b = generate(request("conv2d", "cmsis-nn", "ties"), false);
  CHECK(a.checksum == b.checksum);
  VectorRequest other = request("conv2d", "cmsis-nn", "ties");
  other.seed = 2;
  CHECK(generate(other, false).checksum != a.checksum);
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4
}

TEST_CASE("the rational twin refuses an expected value that is one off", "[golden][twin]") {
  const Vectors v = generate(request("linear", "tflite-ruy-x86", "ties"), false);
  const Layer& layer = v.cases[0];
  const Operator& op = *v.op;
  Result r = op.run(layer, v.cells[0]);
  CHECK(check_twin(layer, op, v.cells[0], r).elements == layer.out("y").size());
  r.outputs.at("y").q[3] += 1;
  CHECK_THROWS_AS(check_twin(layer, op, v.cells[0], r), InternalError);
  // gemmlowp's own example of two roundings: tensorflow issue 102943, accumulator 585.
  RequantizeContext c;
  c.min = -128, c.max = 127;
  c.channels = {{{"si", 1.0}, {"sw", 1527099593.0 * 0x1p-31 * 0x1p-6}, {"so", 1.0}, {"zo", -128.0}}};
  CHECK(requantize_rationally({"fixed double_away si * sw / so", "zero_point", "clamp"}, c, 585, 0) != std::nullopt);
}

TEST_CASE("a discriminate suite tells profiles apart, and names the one that answered", "[golden][discriminate]") {
  const Vectors v = generate(request("linear", "tflite-reference", "discriminate"));
  CHECK(v.matrix.told() > 40);
  std::size_t samples = 0;
  for (const auto& layer : v.cases) samples += static_cast<std::size_t>(layer.in("x").dim(0));
  CHECK(samples < 40);
  // What kinds give at the separating elements is theirs alone.
  std::set<std::vector<double>> given;
  for (const auto& k : v.matrix.kinds) {
    CHECK(k.gives.size() == v.matrix.separating.size());
    CHECK(given.insert(k.gives).second);
  }
  const TemporaryFolder folder;
  const std::string dump = (folder.path / "suite").string();
  emit(v, "dump", dump);
  const SuiteRead suite = read_suite(dump);
  CHECK(suite.request->suite == "discriminate");
  for (const char* profile : {"tflm", "cmsis-nn-single", "xnnpack", "tflite-ruy-x86"}) {
    CAPTURE(profile);
    const Answers o = answers(suite, profile);
    const GoldenCheck c = check_golden(suite, o, 20);
    CHECK(c.errors > 0);
    CHECK(c.exit_status() == 1);
    CHECK(c.unexplained == 0);
    REQUIRE(!c.causes.empty());
    CHECK(c.causes[0].explains == c.errors);
    write_cases(folder.path / profile, suite.label, suite.producer, with_observed(suite, o));
    const auto id = identify({(folder.path / profile).string()}, "", 1, nullptr);
    REQUIRE(!id.profiles.empty());
    CHECK(id.profiles[0].mismatches == 0);
    std::set<std::string> perfect;
    for (const auto& p : id.profiles)
      if (p.elements > 0 && p.mismatches == 0 && p.not_checked == 0) perfect.insert(p.name);
    CHECK(perfect.count(profile) == 1);
    CHECK(perfect.count("tflite-reference") == 0);
  }
  const GoldenCheck right = check_golden(suite, answers(suite, "tflite-reference"), 20);
  CHECK(right.errors == 0);
  CHECK(right.exit_status() == 0);
}

TEST_CASE("a weak suite says so", "[golden][weak]") {
  CHECK(generate(request("linear", "cmsis-nn", "ties")).mistrusted.empty());
  const Vectors few = generate(request("linear", "cmsis-nn", "random", 1));
  CHECK(!few.mistrusted.empty());
}

TEST_CASE("what a device gave is read from arrays, bytes, words and tables", "[golden][check]") {
  const TemporaryFolder folder;
  const Vectors v = generate(request("linear", "cmsis-nn", "ties"), false);
  const auto at = [&](const char* name) { return (folder.path / name).string(); };
  emit(v, "dump", at("suite"));
  emit(v, "line", at("suite.line"));
  emit(v, "csv", at("suite.csv"));
  emit(v, "npy", at("arrays"));
  const SuiteRead suite = read_suite(at("suite"));
  std::string raw, hex, wide, decimal, table = "element,observed\n";
  std::size_t n = 0;
  for (const auto& layer : suite.cases)
    for (std::int64_t i = 0; i < layer.out("y").size(); ++i, ++n) {
      const std::int64_t q = layer.out("y").integer(i);
      raw += static_cast<char>(q);
      hex += hexadecimal(q, 8) + "\n", wide += "0x" + hexadecimal(q, 32) + "\n", decimal += std::to_string(q) + "\n", table += std::to_string(n) + "," + std::to_string(q) + "\n";
    }
  test::write_file(at("o.bin"), raw), test::write_file(at("o.hex"), hex), test::write_file(at("o.wide"), wide), test::write_file(at("o.dec"), decimal), test::write_file(at("o.csv"), table);
  for (const char* file : {"o.bin", "o.hex", "o.wide", "o.dec", "o.csv", "arrays", "suite.csv"}) {
    CAPTURE(file);
    CHECK(check_golden(suite, read_observed(suite, at(file), "auto"), 20).errors == 0);
  }
  for (const char* file : {"suite.line", "suite.csv", "arrays"}) {  // made again from their own header
    CAPTURE(file);
    CHECK(check_golden(read_suite(at(file)), read_observed(suite, at("o.hex"), "auto"), 20).errors == 0);
  }
  test::write_file(at("short.hex"), hex.substr(0, 30));
  CHECK_THROWS_AS(read_observed(suite, at("short.hex"), "auto"), Error);
  test::write_file(at("words.txt"), "hello\n");
  CHECK_THROWS_AS(read_observed(suite, at("words.txt"), "auto"), Error);
  std::string lied = test::read_file(at("suite.csv"));
  lied.replace(lied.find("sha256: ") + 8, 4, "0000");
  test::write_file(at("lied.csv"), lied);
  CHECK_THROWS_AS(read_suite(at("lied.csv")), Error);
  // Every error a line, up to as many as asked for.
  Answers wrong = read_observed(suite, at("o.hex"), "auto");
  for (auto& value : wrong.values) value = value > 0 ? value - 1 : value + 1;
  const GoldenCheck c = check_golden(suite, wrong, 5);
  CHECK(c.lines.size() == 5);
  CHECK(c.stopped);
  CHECK(c.lines[0].find(" => ") != std::string::npos);
  CHECK(c.lines[0].find("expected") != std::string::npos);
}

TEST_CASE("emitted C is compiled, and a kernel from the public formulas reproduces it", "[golden][c]") {
  if (!have("cc") || !have("c++")) { WARN("no cc and c++: not compiled"); return; }
  const std::string kernel = std::string(LASTBIT_TEST_DATA) + "/../golden/device/conv_kernel.cc";
  for (const bool depthwise : {false, true})
    for (const char* suite : {"ties", "clamp"}) {
      const TemporaryFolder folder;
      VectorRequest r = request("conv2d", "cmsis-nn", suite, 8);
      if (depthwise) r.attributes = {"groups=4", "stride=2,1", "dilation=1,1"};
      const Vectors v = generate(r, false);
      const auto at = [&](const std::string& name) { return (folder.path / name).string(); };
      emit(v, "c", at("x.h"));
      emit(v, "c", at("set"));
      CHECK(shell("cc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c " + at("x.h")) == 0);
      CHECK(shell("c++ -std=c++11 -Wall -Werror -fsyntax-only -x c++ " + at("x.h")) == 0);
      CHECK(shell("c++ -std=c++11 -Wall -Werror -I" + at("set") + " -fsyntax-only " + at("set") + "/golden_conv2d_test_data.cc") == 0);
      for (const char* file : {"config_data.h", "input_data.h", "weights_data.h", "biases_data.h", "output_mult_data.h", "output_shift_data.h", "output_ref_data.h"}) CHECK(test::fs::exists(folder.path / "set" / file));
      for (std::size_t k = 0; k < v.cases.size(); ++k)
        for (const char* header : {"x.h", "set/test_data.h"}) {
          const std::string low = identifier(v, k);
          std::string up = low;
          for (auto& c : up) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
          CAPTURE(low, header, depthwise);
          REQUIRE(shell("c++ -std=c++11 -O1 -Wall -Werror " + std::string(depthwise ? "-DDEPTHWISE " : "") + "-DMACRO=" + up + " -DARRAY=" + low + " '-DVECTORS=\"" + at(header) + "\"' " + kernel + " -o " + at("kernel")) == 0);
          CHECK(shell(at("kernel")) == 0);
        }
    }
}

TEST_CASE("emitted hex runs in a Verilog simulator, and finds a device that rounds once", "[golden][hex]") {
  if (!have("iverilog") || !have("vvp")) { WARN("no iverilog: the test bench was not run"); return; }
  const std::string device = std::string(LASTBIT_TEST_DATA) + "/../golden/device/requantizer.sv";
  const TemporaryFolder folder;
  const std::string dir = (folder.path / "hex").string();
  emit(generate(request("requantize", "cmsis-nn", "ties"), false), "hex", dir);
  REQUIRE(shell("cd " + dir + " && iverilog -g2012 -o tb tb.sv " + device) == 0);
  CHECK(shell("cd " + dir + " && vvp tb | grep -q PASSED") == 0);
  REQUIRE(shell("cd " + dir + " && iverilog -g2012 -DSINGLE -o tb tb.sv " + device) == 0);
  CHECK(shell("cd " + dir + " && vvp tb | grep -q FAILED") == 0);
}

TEST_CASE("a suite like a real layer keeps its weights, and says when it has no tie", "[golden][like]") {
  const std::string data = std::string(LASTBIT_TEST_DATA) + "/runtimes/pytorch-2.13/fbgemm/avx512_vnni/conv2d";
  const Dump dump = Dump::open(data);
  VectorRequest r;
  r.like = data + ":" + dump.layers()[0].name;
  for (const char* suite : {"ties", "boundary", "random", "clamp"}) {
    r.suite = suite;
    CAPTURE(suite);
    try {
      const Vectors v = generate(r, false);
      const Layer real = dump.bind(dump.layers()[0]);
      CHECK(v.cases[0].in("weight").i32() == real.in("weight").i32());
      CHECK(v.cases[0].out("y").q.scale == real.out("y").q.scale);
      if (std::string(suite) == "ties" && reached_in(v, "exact tie") == 0) {
        bool said = false;
        for (const auto& n : v.notes) said = said || n.find("no tie exists") != std::string::npos;
        CHECK(said);
      }
      const TemporaryFolder folder;
      emit(v, "dump", (folder.path / "d").string());
      CHECK(mismatches((folder.path / "d").string()) == 0);
    } catch (const Error& e) {
      CHECK(std::string(suite) == "clamp");
    }
  }
  r.like = data + ":nothing";
  CHECK_THROWS_AS(generate(r, false), Error);
}

TEST_CASE("the suites that lie in golden/vectors are made again, byte for byte", "[golden][committed][tables]") {
  const test::fs::path vectors = test::fs::path(LASTBIT_TEST_DATA) / ".." / ".." / "golden" / "vectors";
  std::size_t suites = 0;
  for (const auto& p : all_profiles()) {
    const auto committed = vectors / p.name;
    CAPTURE(p.name);
    if (!cell_for(p, *find_operator("conv2d"), generate(request("conv2d", p.name, "random", 2), false).cases[0])) continue;
    REQUIRE(test::fs::exists(committed / "manifest.json"));
    const TemporaryFolder folder;
    const auto fresh = folder.path / "suite";
    emit(generate(request("conv2d", p.name, "discriminate", 120)), "dump", fresh.string());
    std::size_t files = 0, bytes = 0;
    for (const auto& f : test::fs::recursive_directory_iterator(fresh)) {
      if (!f.is_regular_file()) continue;
      const auto same = test::fs::relative(f.path(), fresh);
      CAPTURE(same.string());
      ++files, bytes += f.file_size();
      CHECK(test::read_file(committed / same) == test::read_file(f.path()));
    }
    std::size_t there = 0;
    for (const auto& f : test::fs::recursive_directory_iterator(committed)) there += f.is_regular_file();
    CHECK(there == files);
    CHECK(bytes < 35000);
    ++suites;
  }
  CHECK(suites >= 20);
}
