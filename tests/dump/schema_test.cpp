// schema_test.cpp: the manifest's JSON Schema, and the small validator that follows it.
#include <catch2/catch.hpp>
#include <functional>

#include "lib/dump/json_schema.hpp"
#include "tests/dump/sample.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

const test::Json& schema() {
  static const test::Json s = test::Json::parse(manifest_schema());
  return s;
}
std::string first_complaint(const std::function<void(Sample&)>& spoil) {
  Sample s;
  spoil(s);
  const auto found = schema_complaints(s.manifest, schema());
  return found.empty() ? "" : found[0];
}

}  // namespace

TEST_CASE("manifests made by runtimes follow the schema", "[dump][schema]") {
  int manifests = 0;
  for (const auto& entry : fs::recursive_directory_iterator(LASTBIT_TEST_DATA))
    if (entry.path().filename() == "manifest.json") {
      INFO(entry.path());
      CHECK(schema_complaints(test::Json::parse(read_file(entry.path())), schema()).empty());
      ++manifests;
    }
  CHECK(manifests > 0);
}

TEST_CASE("the schema says where a manifest departs from it", "[dump][schema]") {
  CHECK(first_complaint([](Sample&) {}).empty());
  CHECK(first_complaint([](Sample& s) { s.manifest["format"] = "onnx"; }) == "format: found \"onnx\", expected \"lastbit-dump\"");
  CHECK(first_complaint([](Sample& s) { s.manifest.erase("layers"); }) == "found an object, expected the key \"layers\"");
  CHECK(first_complaint([](Sample& s) { s.tensor("x")["axis"] = -1; }) == "tensors/x/axis: found -1, expected at least 0");
  CHECK(first_complaint([](Sample& s) { s.tensor("x")["axis"] = 0.5; }) == "tensors/x/axis: found 0.5, expected type integer");
  CHECK(first_complaint([](Sample& s) { s.tensor("x")["scale"] = "1"; }) == "tensors/x/scale: found \"1\", expected type number");
  CHECK(first_complaint([](Sample& s) { s.tensor("w")["scale"]["file"] = 1; }) == "tensors/w/scale/file: found 1, expected type string");
  CHECK(first_complaint([](Sample& s) { s.tensor("x")["shape"] = {1, -2}; }) == "tensors/x/shape/1: found -2, expected at least 0");
  CHECK(first_complaint([](Sample& s) { s.conv()["name"] = ""; }) == "layers/0/name: found \"\", expected 1 characters or more");
  CHECK(first_complaint([](Sample& s) { s.attributes()["activation"] = {{"min", 0}}; }) == "layers/0/attributes/activation: found an object, expected the key \"max\"");
  CHECK(first_complaint([](Sample& s) { s.manifest["producer"]["isa"] = 5; }) == "producer/isa: found 5, expected type string");
}

TEST_CASE("what the reader takes for absent, the schema does too", "[dump][schema]") {
  Sample s;
  s.manifest["profile"] = s.manifest["root"] = nullptr;
  for (const char* key : {"packed", "shape", "axis", "group_size", "qmin", "qmax", "layout", "memory_layout"}) s.tensor("x")[key] = nullptr;
  s.tensor("b")["scale"] = s.tensor("b")["zero_point"] = nullptr;
  s.attributes()["activation"] = s.conv()["profile"] = nullptr;
  CHECK_NOTHROW(read_all(s.open()));
  CHECK(schema_complaints(s.manifest, schema()).empty());
}

TEST_CASE("a schema is never followed in part", "[dump][schema]") {
  CHECK_THROWS_AS(schema_complaints(1, {{"multipleOf", 2}}), InternalError);
}
