// inspect_test.cpp: what `lastbit info` collects: contents, what can be checked, every complaint and not only the first.
#include <catch2/catch.hpp>

#include "tests/dump/sample.hpp"
#include "verifier/inspect.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

Inspection inspected(Sample& s, const std::string& profile = "") {
  s.write();
  return inspect(s.path.string(), profile);
}

}  // namespace

TEST_CASE("info counts what is there and names the profile", "[verifier][info]") {
  Sample s;
  s.manifest["profile"] = "pytorch-fbgemm";
  const Inspection in = inspected(s);
  CHECK(in.usable());
  CHECK(in.tensors.at("uint8").count == 2);
  CHECK(in.tensors.at("uint8").bytes == 16);
  CHECK(in.tensors.at("float32").bytes == 8);
  CHECK(in.files.count == 7);
  REQUIRE(in.layers.size() == 1);
  CHECK(in.layers[0].profile == "pytorch-fbgemm");
  CHECK(in.layers[0].reason.empty());
  CHECK(inspect((s.path / "manifest.json").string(), "").usable());
}

TEST_CASE("info says why a layer cannot be checked", "[verifier][info]") {
  Sample s;
  s.manifest["producer"] = test::Json::object();
  CHECK(inspected(s).layers[0].reason.find("no profile") != std::string::npos);
  CHECK(inspected(s, "pytorch-qnnpack@neon").layers[0].profile == "pytorch-qnnpack@neon");
  s.conv()["op"] = "frobnicate";
  CHECK(inspected(s, "pytorch-qnnpack").layers[0].reason.find("frobnicate") != std::string::npos);
}

TEST_CASE("info goes on after a complaint and names each once", "[verifier][info]") {
  Sample s;
  s.manifest["profile"] = "pytorch-fbgemm";
  s.x_file("");
  fs::remove(s.path / "tensors/b.npy");
  const Inspection in = inspected(s);
  CHECK_FALSE(in.usable());
  REQUIRE(in.complaints.size() == 2);
  CHECK(in.complaints[0].find("tensor b") != std::string::npos);
  CHECK(in.complaints[1].find("tensor x") != std::string::npos);
  CHECK(in.layers[0].reason == "unusable");
  CHECK(in.schema.empty());
}

TEST_CASE("info shows all that the schema has against a manifest that cannot be used", "[verifier][info]") {
  Sample s;
  s.tensor("x")["axis"] = -1;
  s.tensor("w")["dtype"] = "uint9";
  const Inspection in = inspected(s);
  CHECK(in.schema.size() == 2);
  CHECK(in.complaints.size() == 1);
  CHECK(in.layers.empty());
}

TEST_CASE("info refuses what is no manifest", "[verifier][info]") {
  Sample s;
  s.text = "{";
  CHECK_THROWS_AS(inspected(s), Error);
  CHECK_THROWS_AS(inspect((s.folder.path / "nothing").string(), ""), Error);
}
