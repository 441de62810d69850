// bind_test.cpp: what a layer's tensors are once read through their layouts, qparams and packing.
#include <catch2/catch.hpp>

#include "tests/dump/sample.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

std::vector<std::uint8_t> upto(int n) {
  std::vector<std::uint8_t> v(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<std::uint8_t>(i);
  return v;
}

std::string ones(const Shape& shape) { return std::string(static_cast<std::size_t>(count(shape)), 'a'); }
std::string tuple(const Shape& shape) {
  const std::string s = to_string(shape);
  return "(" + s.substr(1, s.size() - 2) + ",)";
}

/// A layer whose `port` is stored as `shape` in `layout`, every element its own position in the file. The other of x and weight
/// has the shape `other`, which suits it.
Layer bound(const std::string& op, const std::string& port, const Shape& shape, const std::string& layout, const Shape& other, const Json& keys = Json::object(), int groups = 1) {
  TemporaryDump d;
  d.add("t", "uint8", npy("|u1", tuple(shape), raw(upto(static_cast<int>(count(shape))))), keys);
  if (!layout.empty()) d.manifest["tensors"]["t"]["layout"] = layout;
  d.file("s.npy", npy("<f4", "(2,)", raw<float>({0.5f, 0.25f})));
  d.add("other", "uint8", npy("|u1", tuple(other), ones(other)));
  d.add("y", "uint8", npy("|u1", "(1, 1, 1, 1)", "a"));
  d.layer("l", op, {{"x", "other"}, {"weight", "other"}}, {{"y", "y"}}, {{"groups", groups}});
  d.manifest["layers"][0]["inputs"][port] = "t";
  const Dump dump = d.open();
  return dump.bind(dump.layers()[0]);
}

const Json per_channel_last = {{"axis", 3}, {"scale", {{"file", "s.npy"}}}};

}  // namespace

TEST_CASE("an activation in NHWC is read as NCHW", "[dump][bind]") {
  const Layer l = bound("conv2d", "x", {1, 2, 2, 3}, "NHWC", {1, 3, 1, 1});
  const Tensor& x = l.in("x");
  CHECK(x.shape == Shape{1, 3, 2, 2});
  CHECK(x.i32() == std::vector<std::int32_t>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11});
  CHECK(x.stored_axes == std::vector<int>{0, 3, 1, 2});
  CHECK(x.memory_layout == "NHWC");
}

TEST_CASE("one and three spatial axes have layouts too", "[dump][bind]") {
  CHECK(bound("conv1d", "x", {1, 2, 3}, "NWC", {1, 3, 1}).in("x").i32() == std::vector<std::int32_t>{0, 3, 1, 4, 2, 5});
  const Layer l = bound("conv3d", "x", {1, 2, 1, 2, 2}, "NDHWC", {1, 2, 1, 1, 1});
  CHECK(l.in("x").shape == Shape{1, 2, 2, 1, 2});
  CHECK(l.in("x").i32() == std::vector<std::int32_t>{0, 2, 4, 6, 1, 3, 5, 7});
}

TEST_CASE("a weight in OHWI is read as OIHW", "[dump][bind]") {
  const Layer l = bound("conv2d", "weight", {2, 1, 2, 3}, "OHWI", {1, 3, 1, 2}, {{"axis", 0}, {"scale", {{"file", "s.npy"}}}});
  CHECK(l.in("weight").shape == Shape{2, 3, 1, 2});
  CHECK(l.in("weight").i32() == std::vector<std::int32_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
  CHECK(l.in("weight").q.axis == 0);
}

TEST_CASE("a depthwise weight in IHWO is read as OIHW and its channel axis follows", "[dump][bind]") {
  const Layer l = bound("conv2d", "weight", {1, 2, 2, 2}, "IHWO", {1, 2, 2, 2}, per_channel_last, 2);
  CHECK(l.in("weight").shape == Shape{2, 1, 2, 2});
  CHECK(l.in("weight").i32() == std::vector<std::int32_t>{0, 2, 4, 6, 1, 3, 5, 7});
  CHECK(l.in("weight").q.axis == 0);
  CHECK(l.in("weight").q.scale == std::vector<double>{0.5, 0.25});
  CHECK(l.is("per_channel"));
}

TEST_CASE("a transposed convolution's weight in OHWI is read as IOHW", "[dump][bind]") {
  const Layer l = bound("conv_transpose2d", "weight", {2, 1, 2, 3}, "OHWI", {1, 3, 1, 1}, {{"axis", 0}, {"scale", {{"file", "s.npy"}}}});
  CHECK(l.in("weight").shape == Shape{3, 2, 1, 2});
  CHECK(l.in("weight").i32() == std::vector<std::int32_t>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11});
  CHECK(l.in("weight").q.axis == 1);
}

TEST_CASE("without a layout, and for operators that are not spatial, the stored order stays", "[dump][bind]") {
  CHECK(bound("conv2d", "x", {1, 2, 2, 3}, "", {1, 2, 1, 1}).in("x").shape == Shape{1, 2, 2, 3});
  CHECK(bound("conv2d", "x", {1, 2, 2, 3}, "NCHW", {1, 2, 1, 1}).in("x").stored_axes.empty());
  CHECK(bound("reshape", "x", {1, 2, 2, 3}, "NHWC", {1}).in("x").shape == Shape{1, 2, 2, 3});
  CHECK(bound("no_such_operator", "x", {1, 2, 2, 3}, "NHWC", {1}).in("x").shape == Shape{1, 2, 2, 3});
}

TEST_CASE("scales and zero points as numbers and as arrays", "[dump][bind]") {
  Sample s;
  s.file("tensors/w.scale.npy", npy("<f4", "(2,)", raw<float>({0.1f, 0.2f})));
  s.file("tensors/w.zero_point.npy", npy("|i1", "(2,)", raw<std::int8_t>({-128, 127})));
  s.tensor("w")["qmin"] = -128;
  s.tensor("y").erase("zero_point");
  const Dump dump = s.open();
  const Tensor x = dump.load("x"), w = dump.load("w"), y = dump.load("y"), b = dump.load("b");
  CHECK(x.q.scale == std::vector<double>{0.5});
  CHECK(x.q.zero_point == std::vector<double>{3});
  CHECK((x.q.qmin == 0 && x.q.qmax == 255));
  CHECK(w.q.scale == std::vector<double>{static_cast<double>(0.1f), static_cast<double>(0.2f)});
  CHECK(w.q.zero_point == std::vector<double>{-128, 127});
  CHECK((w.q.qmin == -128 && w.q.qmax == 127));
  CHECK(w.q.per_channel());
  CHECK_FALSE(w.q.float_zero_point);
  CHECK(y.q.zero_point == std::vector<double>{0});
  CHECK_FALSE(b.q.quantized());
}

TEST_CASE("zero points may be floats", "[dump][bind]") {
  Sample s;
  s.file("tensors/w.zero_point.npy", npy("<f4", "(2,)", raw<float>({-1.5f, 300})));
  CHECK(s.open().load("w").q.float_zero_point);
  CHECK(s.open().load("w").q.zero_point == std::vector<double>{-1.5, 300});
  s.tensor("x")["zero_point"] = 2.5;
  CHECK(s.open().load("x").q.float_zero_point);
  s.tensor("x")["zero_point"] = 2.0;
  CHECK_FALSE(s.open().load("x").q.float_zero_point);
}

TEST_CASE("an operator of integers takes float zero points only when they are integers", "[dump][bind]") {
  Sample s;
  s.file("tensors/w.zero_point.npy", npy("<f4", "(2,)", raw<float>({-3, 127})));
  const Dump dump = s.open();
  CHECK_FALSE(dump.bind(dump.layers()[0]).in("weight").q.float_zero_point);
  for (const float z : {0.5f, 128.0f}) {
    s.file("tensors/w.zero_point.npy", npy("<f4", "(2,)", raw<float>({0, z})));
    const Dump bad = s.open();
    CHECK_THROWS_WITH(bad.bind(bad.layers()[0]), Catch::Contains("input weight: found the float zero point"));
  }
}

TEST_CASE("scales by channel and group", "[dump][bind]") {
  Sample s;
  s.add("g", "uint4", npy("|u1", "(2, 5)", raw(upto(10))), {{"axis", 0}, {"group_size", 2}, {"scale", {{"file", "g.npy"}}}});
  s.file("g.npy", npy("<f4", "(2, 3)", raw<float>({1, 2, 3, 4, 5, 6})));
  const Tensor g = s.open().load("g");
  CHECK(g.q.group_size == 2);
  std::vector<double> scales;
  for (std::int64_t i = 0; i < 10; ++i) scales.push_back(g.scale_at(i));
  CHECK(scales == std::vector<double>{1, 1, 2, 2, 3, 4, 4, 5, 5, 6});
}

TEST_CASE("packed values are unpacked along the last axis", "[dump][bind]") {
  const auto unpacked = [](const char* dtype, const char* order, const char* stored, const std::vector<std::uint8_t>& bytes, const Json& shape) {
    TemporaryDump d;
    d.add("t", dtype, npy("|u1", stored, raw(bytes)), {{"packed", order}, {"shape", shape}});
    return d.open().load("t").i32();
  };
  using V = std::vector<std::int32_t>;
  CHECK(unpacked("uint4", "low_first", "(2, 2)", {0x21, 0x03, 0x65, 0x07}, {2, 3}) == V{1, 2, 3, 5, 6, 7});
  CHECK(unpacked("uint4", "high_first", "(2, 2)", {0x12, 0x30, 0x56, 0x70}, {2, 3}) == V{1, 2, 3, 5, 6, 7});
  CHECK(unpacked("int4", "low_first", "(2,)", {0x8F, 0x71}, {4}) == V{-1, -8, 1, 7});
  CHECK(unpacked("uint2", "low_first", "(2,)", {0xE4, 0x01}, {5}) == V{0, 1, 2, 3, 1});
  CHECK(unpacked("int2", "high_first", "(1,)", {0x1B}, {4}) == V{0, 1, -2, -1});
}

TEST_CASE("files may lie beside the dump when root says so", "[dump][bind]") {
  Sample s;
  s.manifest["root"] = "..";
  fs::create_directories(s.folder.path / "weights");
  fs::rename(s.path / "tensors/w.npy", s.folder.path / "weights/w.npy");
  s.tensor("w")["file"] = "../weights/w.npy";
  CHECK_NOTHROW(read_all(s.open()));
}

TEST_CASE("a link that stays inside is followed; the dump itself may be a link, named by its manifest", "[dump][bind]") {
  Sample s;
  s.write();
  fs::create_symlink("x.npy", s.path / "tensors/again.npy");
  s.tensor("x")["file"] = "tensors/again.npy";
  s.write();
  fs::create_directory_symlink(s.path, s.folder.path / "link");
  CHECK_NOTHROW(read_all(Dump::open(s.folder.path / "link")));
  CHECK_NOTHROW(read_all(Dump::open(s.folder.path / "link/manifest.json")));
}

TEST_CASE("the producer's instruction set can be replaced, and facts are there", "[dump][bind]") {
  Sample s;
  s.manifest["producer"]["isa"] = "avx512_vnni";
  const Dump dump = s.open();
  CHECK(dump.bind(dump.layers()[0]).producer.at("isa") == "avx512_vnni");
  const Layer l = dump.bind(dump.layers()[0], "avx2");
  CHECK(l.producer.at("isa") == "avx2");
  CHECK(l.is("isa:avx2"));
  CHECK(l.is("x:uint8"));
  CHECK(l.is("weight:int8"));
  CHECK(l.is("per_channel"));
  CHECK(l.is("activation:relu"));
  CHECK(l.place == (s.path / "manifest.json").string() + ": layer conv");
}

TEST_CASE("attributes keep their types", "[dump][bind]") {
  Sample s;
  s.attributes().update({{"groups", 1}, {"eps", 0.5}, {"mode", "sum"}, {"ceil_mode", true}, {"scales", {0.5, 2}}, {"pad", Json::array()}, {"activation", {{"min", 3}, {"max", 200}}}});
  const Attributes a = s.open().layers()[0].attributes;
  CHECK(a.integer("groups") == 1);
  CHECK(a.number("eps") == 0.5);
  CHECK(a.text("mode") == "sum");
  CHECK(a.boolean("ceil_mode"));
  CHECK(a.numbers("scales") == std::vector<double>{0.5, 2});
  CHECK(a.list("pad").empty());
  CHECK(std::get<Clamp>(a.values.at("activation")).max == 200);
  CHECK_THROWS_AS(a.integer("eps"), Error);
}
