// faults_test.cpp: planted faults are found, in the right layer and element.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

/// A copy of a real dump in which something is then changed.
struct Copy {
  TemporaryFolder folder;
  fs::path dump;
  Json manifest;
  explicit Copy(const std::string& name) : dump(folder.path / "dump") {
    fs::copy(fs::path(LASTBIT_TEST_DATA) / "models" / name, dump, fs::copy_options::recursive);
    manifest = Json::parse(read_file(dump / "manifest.json"));
  }
  void save() const { write_file(dump / "manifest.json", manifest.dump()); }
  std::string file(const std::string& tensor) const { return manifest["tensors"][tensor]["file"].get<std::string>(); }
  /// Flips bits of one byte of an array's data; returns nothing, the header is 128 bytes in these files.
  void flip(const std::string& tensor, std::size_t byte, char mask) const {
    std::string bytes = read_file(dump / file(tensor));
    bytes.at(128 + byte) = static_cast<char>(bytes.at(128 + byte) ^ mask);
    write_file(dump / file(tensor), bytes);
  }
  Report verify() const {
    VerifyOptions o;
    o.dumps = {dump.string()};
    o.forms = {"integer"};
    return verify_dumps(o);
  }
};

LayerReport layer_named(const Report& r, const std::string& name) {
  for (const auto& l : r.layers)
    if (l.name == name) return l;
  throw std::runtime_error("no layer " + name);
}

}  // namespace

TEST_CASE("one flipped bit of an output is found in its layer and element", "[verifier][faults]") {
  const Copy copy("fbgemm-seed_conv1x1");
  copy.flip("002.conv2d_relu.y", 37, 1);
  const Report r = copy.verify();
  CHECK(r.exit_status() == 1);
  REQUIRE(r.first_divergence());
  CHECK(r.first_divergence()->name == "002.conv2d_relu");
  const LayerReport layer = layer_named(r, "002.conv2d_relu");
  CHECK(layer.mismatches == 1);
  REQUIRE(layer.worst.size() == 1);
  const auto& at = layer.worst[0].index;
  CHECK(at.back() == 37 % 4);  // the array is [4, 1, 4, 4]: element 37
  CHECK(((at[0] * 1 + at[1]) * 4 + at[2]) * 4 + at[3] == 37);
  CHECK(layer.worst[0].lsb * layer.worst[0].lsb == 1);
  CHECK(layer.unexplained == 1);  // no rule flips one bit
  REQUIRE(!layer.causes.empty());
  CHECK(layer.causes[0].name == "position:element");
}

TEST_CASE("a wrong zero point of an output is found and named", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  auto& zero_point = copy.manifest["tensors"]["002.linear.y"]["zero_point"];
  zero_point = zero_point.get<int>() + 3;
  copy.save();
  const Report r = copy.verify();
  REQUIRE(r.first_divergence());
  CHECK(r.first_divergence()->name == "002.linear");
  const LayerReport layer = layer_named(r, "002.linear");
  REQUIRE(!layer.causes.empty());
  CHECK(layer.causes[0].name == "zero-point:stale");
  CHECK(layer.unexplained == 0);
}

TEST_CASE("one changed weight is found in the channel it belongs to", "[verifier][faults]") {
  const Copy copy("fbgemm-seed_linear");
  copy.flip("002.linear.weight", 13, 0x20);  // weight [2, 10]: row 1
  const LayerReport layer = layer_named(copy.verify(), "002.linear");
  CHECK(layer.mismatches > 0);
  for (const auto& w : layer.worst) CHECK(w.index.back() == 1);
}

TEST_CASE("a stale scale is found", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  auto& scale = copy.manifest["tensors"]["002.linear.y"]["scale"];
  scale = scale.get<double>() * 1.03;
  copy.save();
  const Report r = copy.verify();
  REQUIRE(r.first_divergence());
  CHECK(r.first_divergence()->name == "002.linear");
}

TEST_CASE("a truncated file is refused with its place", "[verifier][faults]") {
  const Copy copy("fbgemm-seed_linear");
  const auto path = copy.dump / copy.file("002.linear.y");
  std::string bytes = read_file(path);
  bytes.resize(bytes.size() - 5);
  write_file(path, bytes);
  try {
    copy.verify();
    FAIL("a truncated file was read");
  } catch (const Error& e) {
    CAPTURE(e.what());
    CHECK(std::string(e.what()).find("expected") != std::string::npos);
  }
}

TEST_CASE("an operator that is not known is not checked, by name", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  copy.manifest["layers"][1]["op"] = "frobnicate";
  copy.save();
  const Report r = copy.verify();
  const LayerReport layer = layer_named(r, "002.linear");
  CHECK(layer.verdict == Verdict::not_checked);
  CHECK(layer.reason.find("frobnicate") != std::string::npos);
  CHECK(r.verdict() == Verdict::not_checked);
}

TEST_CASE("an empty match never passes", "[verifier][faults]") {
  VerifyOptions o;
  o.dumps = {std::string(LASTBIT_TEST_DATA) + "/models/fbgemm-seed_linear"};
  o.layer_glob = "no-such-layer";
  CHECK(verify_dumps(o).exit_status() == 5);
}

TEST_CASE("an instruction set that is none is refused by name", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  copy.manifest["producer"]["isa"] = "avx3";
  copy.save();
  CHECK_THROWS_WITH(copy.verify(), Catch::Contains("avx3") && Catch::Contains("avx512_vnni"));
  CHECK_THROWS_WITH(ProfileChoice::parse("pytorch-fbgemm@avx3"), Catch::Contains("avx3"));
}

TEST_CASE("an output that the operator does not have is refused", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  auto& layer = copy.manifest["layers"][1];
  layer["outputs"]["z"] = layer["outputs"]["y"];
  layer["outputs"].erase("y");
  copy.save();
  CHECK_THROWS_WITH(copy.verify(), Catch::Contains("output \"z\""));
}

TEST_CASE("an attribute of another type is refused even where this layer would not read it", "[verifier][faults]") {
  Copy copy("fbgemm-seed_linear");
  copy.manifest["layers"][1]["attributes"]["bias_dtype"] = true;
  copy.save();
  CHECK_THROWS_WITH(copy.verify(), Catch::Contains("bias_dtype"));
}

TEST_CASE("every cell of every profile names a rule of the operators it is for", "[verifier][faults]") {
  for (const Profile& profile : all_profiles())
    for (const Operator& op : all_operators())
      for (const Cell& cell : profile.cells) {
        const auto named = [&](const std::string& name) { return name == op.name || std::count(op.families.begin(), op.families.end(), name) > 0; };
        if (std::none_of(cell.ops.begin(), cell.ops.end(), named) || cell.rule.empty() || cell.rule == "unsupported") continue;
        CAPTURE(profile.name, op.name, cell.rule);
        CHECK(std::count(op.rules.begin(), op.rules.end(), cell.rule) == 1);
      }
}

TEST_CASE("a rule that an operator does not have is refused", "[verifier][faults]") {
  Profile profile = find_profile("pytorch-fbgemm");
  const Operator& op = *find_operator("relu");
  profile.cells.push_back({{"relu"}, {}, "frobnicate", {}, {}});
  CHECK_THROWS_WITH(cell_for(profile, op, Layer{}), Catch::Contains("frobnicate"));
}
