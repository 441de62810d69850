// refusals_test.cpp: every refusal of docs/dump-format.md, one by one, each from a good dump with one thing wrong.
#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <functional>
#include <limits>

#include "tests/dump/sample.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

struct Refusal {
  const char* sentence;
  std::function<void(Sample&)> spoil;
  const char* place;  // the message names it
  const char* found;  // and says this
};

const double inf = std::numeric_limits<double>::infinity(), nan_ = std::numeric_limits<double>::quiet_NaN();

void x_npy(Sample& s, const std::string& bytes) { s.x_file(bytes); }
const std::string eight(8, '\1');

const std::vector<Refusal> refusals = {
    // -- the manifest as text
    {"the manifest is missing", [](Sample& s) { s.text = ""; }, "manifest.json", "no JSON"},
    {"the manifest is cut off", [](Sample& s) { s.text = s.manifest.dump().substr(0, 100); }, "manifest.json", "no JSON"},
    {"the manifest goes on after its end", [](Sample& s) { s.text = s.manifest.dump() + "{}"; }, "manifest.json", "no JSON"},
    {"the manifest is a list", [](Sample& s) { s.text = "[]"; }, "manifest.json", "expected an object"},
    {"the manifest is nested a million deep", [](Sample& s) { s.text = std::string(1000000, '['); }, "manifest.json", "32 levels"},
    {"an attribute is nested deep", [](Sample& s) { s.text = "{\"format\": " + std::string(40, '[') + std::string(40, ']') + "}"; }, "manifest.json", "32 levels"},
    {"a number is NaN", [](Sample& s) { s.text = "{\"format\": NaN}"; }, "manifest.json", "no JSON"},
    {"a number is beyond float64", [](Sample& s) { s.text = "{\"format\": 1e999}"; }, "manifest.json", "no JSON"},
    {"a string is no UTF-8", [](Sample& s) { s.text = "{\"format\": \"\xff\"}"; }, "manifest.json", "no JSON"},
    {"a key stands twice", [](Sample& s) { s.text = R"({"format": "lastbit-dump", "tensors": {"x": 1, "x": 2}})"; }, "manifest.json", "\"x\" twice"},
    // -- top level
    {"the format is another", [](Sample& s) { s.manifest["format"] = "onnx"; }, "\"format\"", "\"onnx\""},
    {"the format is missing", [](Sample& s) { s.manifest.erase("format"); }, "manifest.json", "no \"format\""},
    {"the version is of tomorrow", [](Sample& s) { s.manifest["version"] = 2; }, "\"version\"", "found 2"},
    {"the version is a string", [](Sample& s) { s.manifest["version"] = "1"; }, "\"version\"", "found \"1\""},
    {"a producer's field is a number", [](Sample& s) { s.manifest["producer"]["version"] = 2.13; }, "\"producer\": version", "a string"},
    {"the profile is unknown", [](Sample& s) { s.manifest["profile"] = "pytorch-fbgem"; }, "\"profile\"", "\"pytorch-fbgem\""},
    {"a layer's profile is unknown", [](Sample& s) { s.conv()["profile"] = "cuda"; }, "layer conv: \"profile\"", "\"cuda\""},
    {"the profile is a number", [](Sample& s) { s.manifest["profile"] = 7; }, "\"profile\"", "found 7"},
    {"root is not the parent", [](Sample& s) { s.manifest["root"] = "../.."; }, "\"root\"", "\"../..\""},
    {"there are no tensors", [](Sample& s) { s.manifest.erase("tensors"); }, "manifest.json", "no \"tensors\""},
    {"tensors is a list", [](Sample& s) { s.manifest["tensors"] = Json::array(); }, "\"tensors\"", "an object"},
    {"there are no layers", [](Sample& s) { s.manifest.erase("layers"); }, "manifest.json", "no \"layers\""},
    {"layers is an object", [](Sample& s) { s.manifest["layers"] = Json::object(); }, "\"layers\"", "a list"},
    // -- tensors: fields
    {"a tensor is a number", [](Sample& s) { s.manifest["tensors"]["x"] = 1; }, "tensor x", "an object"},
    {"a tensor has no file", [](Sample& s) { s.tensor("x").erase("file"); }, "tensor x", "no \"file\""},
    {"a tensor has no dtype", [](Sample& s) { s.tensor("x").erase("dtype"); }, "tensor x", "no \"dtype\""},
    {"a dtype has no name", [](Sample& s) { s.tensor("x")["dtype"] = "uint9"; }, "tensor x: \"dtype\"", "\"uint9\""},
    {"a scale is a string", [](Sample& s) { s.tensor("x")["scale"] = "0.5"; }, "tensor x: \"scale\"", "\"0.5\""},
    {"a scale is negative", [](Sample& s) { s.tensor("x")["scale"] = -0.5; }, "tensor x: \"scale\"", "-0.5"},
    {"a scale is zero", [](Sample& s) { s.tensor("x")["scale"] = 0; }, "tensor x: \"scale\"", "found 0"},
    {"a scale in an array is negative", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f8", "(2,)", raw<double>({0.25, -1}))); }, "tensor w: scale", "-1.0"},
    {"a scale in an array is zero", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f8", "(2,)", raw<double>({0.25, 0}))); }, "tensor w: scale", "at 1"},
    {"a scale in an array is NaN", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f8", "(2,)", raw<double>({nan_, 1}))); }, "tensor w: scale", "nan at 0"},
    {"a scale in an array is infinite", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f4", "(2,)", raw<float>({1, static_cast<float>(inf)}))); }, "tensor w: scale", "inf at 1"},
    {"an array of scales is integers", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<i4", "(2,)", eight)); }, "tensor w: scale", "an array of int32"},
    {"an array of scales is too long", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f4", "(3,)", raw<float>({1, 1, 1}))); }, "tensor w: scale", "[3], expected [2]"},
    {"an array of scales has no axis", [](Sample& s) { s.tensor("w").erase("axis"); }, "tensor w", "without \"axis\""},
    {"scales are 2-d without group_size", [](Sample& s) { s.file("tensors/w.scale.npy", npy("<f4", "(2, 1)", eight)); }, "tensor w: scale", "without \"group_size\""},
    {"scales of groups have another shape", [](Sample& s) { s.tensor("w")["group_size"] = 1; s.file("tensors/w.scale.npy", npy("<f4", "(2, 1)", eight)); }, "tensor w: scale", "(channel, group)"},
    {"group_size stands beside a number", [](Sample& s) { s.tensor("x")["group_size"] = 2; }, "tensor x", "\"group_size\" without"},
    {"group_size is zero", [](Sample& s) { s.tensor("w")["group_size"] = 0; }, "tensor w: \"group_size\"", "found 0"},
    {"a zero point is outside the dtype", [](Sample& s) { s.tensor("x")["zero_point"] = 256; }, "tensor x: \"zero_point\"", "found 256"},
    {"a zero point is far outside", [](Sample& s) { s.tensor("x")["zero_point"] = 1e300; }, "tensor x: \"zero_point\"", "1e+300"},
    {"a zero point in an array is outside the dtype", [](Sample& s) { s.file("tensors/w.zero_point.npy", npy("<i4", "(2,)", raw<std::int32_t>({0, 128}))); }, "tensor w: zero_point", "128 at 1"},
    {"a float zero point is not finite", [](Sample& s) { s.file("tensors/w.zero_point.npy", npy("<f4", "(2,)", raw<float>({0, static_cast<float>(inf)}))); }, "tensor w: zero_point", "inf at 1"},
    {"an array of zero points is too short", [](Sample& s) { s.file("tensors/w.zero_point.npy", npy("<i4", "(1,)", raw<std::int32_t>({0}))); }, "tensor w: zero_point", "[1], expected [2]"},
    {"zero points are an array beside a number", [](Sample& s) { s.tensor("w")["scale"] = 1; }, "tensor w", "without an array of scales"},
    {"an axis is negative", [](Sample& s) { s.tensor("w")["axis"] = -1; }, "tensor w: \"axis\"", "found -1"},
    {"an axis is out of range", [](Sample& s) { s.tensor("w")["axis"] = 4; }, "tensor w: \"axis\"", "found 4"},
    {"an axis is a fraction", [](Sample& s) { s.tensor("w")["axis"] = 0.5; }, "tensor w: \"axis\"", "found 0.5"},
    {"an axis is beyond 64 bits", [](Sample& s) { s.tensor("w")["axis"] = UINT64_MAX; }, "tensor w: \"axis\"", "18446744073709551615"},
    {"qmin is above qmax", [](Sample& s) { s.tensor("x")["qmin"] = 9; s.tensor("x")["qmax"] = 8; }, "tensor x", "9 to 8"},
    {"qmax is above the dtype", [](Sample& s) { s.tensor("x")["qmax"] = 256; }, "tensor x", "0 to 256"},
    {"a value is above qmax", [](Sample& s) { s.tensor("x")["qmax"] = 127; }, "tensor x", "the value 255 at [0, 1, 1, 1]"},
    {"a value is below qmin", [](Sample& s) { s.tensor("w")["qmin"] = -127; }, "tensor w", "the value -128 at [1, 1, 0, 0]"},
    {"a 4-bit value has five bits", [](Sample& s) { s.tensor("x")["dtype"] = "uint4"; }, "tensor x", "the value 255"},
    {"a float tensor has a scale", [](Sample& s) { s.tensor("b")["scale"] = 1; }, "tensor b: \"scale\"", "float32"},
    {"packed is an unknown word", [](Sample& s) { s.tensor("x")["packed"] = "big"; }, "tensor x: \"packed\"", "\"big\""},
    {"packed stands beside 8-bit values", [](Sample& s) { s.tensor("x")["packed"] = "low_first"; }, "tensor x: \"packed\"", "uint8"},
    {"packed values have no shape", [](Sample& s) { s.tensor("x")["dtype"] = "uint4"; s.tensor("x")["packed"] = "low_first"; }, "tensor x", "without \"shape\""},
    {"packed values have another shape", [](Sample& s) { s.tensor("x").update({{"dtype", "uint4"}, {"packed", "low_first"}, {"shape", {1, 2, 2, 5}}}); }, "tensor x", "expected [1, 2, 2, 3]"},
    {"a shape is not the array's", [](Sample& s) { s.tensor("x")["shape"] = {1, 2, 2, 3}; }, "tensor x", "found the shape [1, 2, 2, 2]"},
    {"a shape overflows", [](Sample& s) { s.tensor("x")["shape"] = {1LL << 40, 1LL << 40}; }, "tensor x: \"shape\"", "overflows"},
    {"a shape is negative", [](Sample& s) { s.tensor("x")["shape"] = {1, -2, 2, 2}; }, "tensor x: \"shape\"", "found -2"},
    {"a layout has unknown letters", [](Sample& s) { s.tensor("x")["layout"] = "NHWK"; }, "tensor x: \"layout\"", "\"NHWK\""},
    {"a layout names an axis twice", [](Sample& s) { s.tensor("x")["layout"] = "NHHC"; }, "tensor x: \"layout\"", "\"NHHC\""},
    {"a layout has another rank", [](Sample& s) { s.tensor("x")["layout"] = "NDHWC"; }, "tensor x", "as many axes as the layout NDHWC"},
    {"an activation has a weight's layout", [](Sample& s) { s.tensor("x")["layout"] = "OHWI"; }, "input x", "\"OHWI\""},
    {"a memory layout is unknown", [](Sample& s) { s.tensor("x")["memory_layout"] = "CHWN"; }, "tensor x: \"memory_layout\"", "\"CHWN\""},
    // -- layers
    {"a layer is a string", [](Sample& s) { s.manifest["layers"][0] = "conv"; }, "layer 0", "an object"},
    {"a layer has no name", [](Sample& s) { s.conv().erase("name"); }, "layer 0", "no \"name\""},
    {"a layer has no op", [](Sample& s) { s.conv().erase("op"); }, "layer conv", "no \"op\""},
    {"an input is a number", [](Sample& s) { s.conv()["inputs"]["x"] = 1; }, "layer conv: \"inputs\": x", "found 1"},
    {"a name is used but not defined", [](Sample& s) { s.conv()["inputs"]["x"] = "xx"; }, "layer conv: input x", "\"xx\""},
    {"an output is not defined", [](Sample& s) { s.conv()["outputs"]["y"] = "yy"; }, "layer conv: output y", "\"yy\""},
    {"a tensor is the output of two layers", [](Sample& s) { s.layer("again", "conv2d", {{"x", "x"}, {"weight", "w"}}, {{"y", "y"}}); }, "layer again: output y", "layer conv"},
    {"a tensor is two outputs of one layer", [](Sample& s) { s.conv()["outputs"]["accumulator"] = "y"; }, "layer conv: output y", "already an output"},
    {"a layer reads its own output", [](Sample& s) { s.conv()["inputs"]["x"] = "y"; }, "layer conv: input x", "the layer itself"},
    {"a layer reads a later layer's output", [](Sample& s) { s.layer("next", "relu", {{"x", "y"}}, {{"y", "x"}}); }, "layer conv: input x", "later layer next"},
    {"two layers share a name", [](Sample& s) { s.add("z", "uint8", npy("|u1", "(1,)", "a")); s.layer("conv", "relu", {{"x", "y"}}, {{"y", "z"}}); }, "layer conv", "two layers of this name"},
    {"an activation is unknown", [](Sample& s) { s.attributes()["activation"] = "relu7"; }, "layer conv: attribute \"activation\"", "\"relu7\""},
    {"an activation is a number", [](Sample& s) { s.attributes()["activation"] = 6; }, "attribute \"activation\"", "expected none, relu"},
    {"a clamp is outside the output", [](Sample& s) { s.attributes()["activation"] = {{"min", 0}, {"max", 256}}; }, "attribute \"activation\"", "0 to 256"},
    {"a clamp is upside down", [](Sample& s) { s.attributes()["activation"] = {{"min", 6}, {"max", 0}}; }, "attribute \"activation\"", "6 to 0"},
    {"a clamp is not of integers", [](Sample& s) { s.attributes()["activation"] = {{"min", 0}, {"max", 6.5}}; }, "attribute \"activation\"", "expected none, relu"},
    // -- paths
    {"a file is missing", [](Sample& s) { fs::remove(s.path / "tensors/x.npy"); }, "tensor x: tensors/x.npy", "No such file"},
    {"a file is a directory", [](Sample& s) { s.tensor("x")["file"] = "tensors"; }, "tensor x: tensors", "a directory"},
    {"a path is empty", [](Sample& s) { s.tensor("x")["file"] = ""; }, "tensor x: \"file\"", "found \"\""},
    {"a path is absolute", [](Sample& s) { s.tensor("x")["file"] = "/etc/passwd"; }, "tensor x: \"file\"", "relative"},
    {"a path leaves the dump", [](Sample& s) { s.tensor("x")["file"] = "../x.npy"; }, "tensor x: \"file\"", "leaves the dump"},
    {"a path leaves the dump half-way", [](Sample& s) { s.tensor("x")["file"] = "tensors/../../x.npy"; }, "tensor x: \"file\"", "leaves the dump"},
    {"a path leaves the parent that root allows", [](Sample& s) { s.manifest["root"] = ".."; s.tensor("x")["file"] = "../../x.npy"; }, "tensor x: \"file\"", "leaves the dump"},
    {"a scale's path leaves the dump", [](Sample& s) { s.tensor("w")["scale"]["file"] = "../w.npy"; }, "tensor w: \"scale\"", "leaves the dump"},
    {"a path holds a zero byte", [](Sample& s) { s.tensor("x")["file"] = std::string("tensors/x.npy\0.txt", 18); }, "tensor x: \"file\"", "zero byte"},
    {"a symbolic link leaves the dump", [](Sample& s) { write_file(s.folder.path / "x.npy", npy("|u1", "(8,)", eight)); fs::create_symlink(s.folder.path / "x.npy", s.path / "out.npy"); s.tensor("x")["file"] = "out.npy"; }, "tensor x: out.npy", "symbolic link"},
    {"a linked folder leaves the dump", [](Sample& s) { write_file(s.folder.path / "other/x.npy", npy("|u1", "(8,)", eight)); fs::create_directory_symlink(s.folder.path / "other", s.path / "out"); s.tensor("x")["file"] = "out/x.npy"; }, "tensor x: out/x.npy", "symbolic link"},
    {"a symbolic link points to itself", [](Sample& s) { fs::create_symlink("loop.npy", s.path / "loop.npy"); s.tensor("x")["file"] = "loop.npy"; }, "tensor x: loop.npy", "symbolic link"},
    {"a FIFO stands for a file", [](Sample& s) { REQUIRE(::mkfifo((s.path / "fifo.npy").c_str(), 0600) == 0); s.tensor("x")["file"] = "fifo.npy"; }, "tensor x: fifo.npy", "no regular file"},
    {"an archive is named without a member", [](Sample& s) { s.tensor("x")["file"] = "a.npz"; }, "tensor x: \"file\"", "a.npz#name"},
    // -- .npy
    {"an array is empty", [](Sample& s) { x_npy(s, ""); }, "tensor x", "0 bytes"},
    {"an array is no .npy", [](Sample& s) { x_npy(s, "PK\3\4 and so on"); }, "tensor x", "NUMPY"},
    {"an array is of version 9", [](Sample& s) { x_npy(s, npy("|u1", "(8,)", eight, false, 9)); }, "tensor x", "version 9.0"},
    {"an array is truncated", [](Sample& s) { x_npy(s, npy("|u1", "(1, 2, 2, 2)", "1234567")); }, "tensor x", "7 bytes of data, expected 8"},
    {"an array has bytes left over", [](Sample& s) { x_npy(s, npy("|u1", "(1, 2, 2, 2)", "123456789")); }, "tensor x", "9 bytes of data, expected 8"},
    {"a header is truncated", [](Sample& s) { x_npy(s, npy("|u1", "(8,)", eight).substr(0, 40)); }, "tensor x", "cut off after 30 bytes"},
    {"a header says 4 GB", [](Sample& s) { x_npy(s, "\x93NUMPY" + std::string("\2\0\xff\xff\xff\xff", 6) + eight); }, "tensor x", "4294967295"},
    {"a shape says 2^60 elements", [](Sample& s) { x_npy(s, npy("|u1", "(1152921504606846976,)", eight)); }, "tensor x", "8 bytes of data"},
    {"a shape overflows 64 bits", [](Sample& s) { x_npy(s, npy("<f4", "(4294967296, 4294967296)", eight)); }, "tensor x", "overflows"},
    {"a shape overflows behind a zero", [](Sample& s) { x_npy(s, npy("|u1", "(0, 4294967296, 4294967296)", "")); }, "tensor x", "overflows"},
    {"an extent has thirty digits", [](Sample& s) { x_npy(s, npy("|u1", "(" + std::string(30, '9') + ",)", eight)); }, "tensor x", "63 bits"},
    {"an extent is negative", [](Sample& s) { x_npy(s, npy("|u1", "(-8,)", eight)); }, "tensor x", "negative extent"},
    {"a shape has 65 axes", [](Sample& s) { std::string ones; for (int i = 0; i < 65; ++i) ones += "1, "; x_npy(s, npy("|u1", "(" + ones + ")", "1")); }, "tensor x", "64 axes"},
    {"a shape is a number", [](Sample& s) { x_npy(s, npy("|u1", "(8)", eight)); }, "tensor x", "a tuple"},
    {"a shape is a list", [](Sample& s) { x_npy(s, npy("|u1", "[8]", eight)); }, "tensor x", "a tuple"},
    {"an array is of objects", [](Sample& s) { x_npy(s, npy("|O", "(8,)", eight)); }, "tensor x", "object array"},
    {"an array is structured", [](Sample& s) { x_npy(s, npy_with_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", eight)); }, "tensor x", "structured"},
    {"an array is complex", [](Sample& s) { x_npy(s, npy("<c8", "(1,)", eight)); }, "tensor x", "\"<c8\""},
    {"an array is of text", [](Sample& s) { x_npy(s, npy("<U2", "(1,)", eight)); }, "tensor x", "\"<U2\""},
    {"a header is no dict", [](Sample& s) { x_npy(s, npy_with_header("['<f4']", eight)); }, "tensor x", "a dict"},
    {"a header calls a function", [](Sample& s) { x_npy(s, npy_with_header("{'descr': __import__('os').system('id')}", eight)); }, "tensor x", "a dtype"},
    {"a header lacks its shape", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '|u1', 'fortran_order': False}", eight)); }, "tensor x", "without shape"},
    {"a header has its shape twice", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '|u1', 'shape': (8,), 'shape': (9,), 'fortran_order': False}", eight)); }, "tensor x", "each once"},
    {"a header has another key", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (8,), 'evil': 1}", eight)); }, "tensor x", "\"evil\""},
    {"a header has something after it", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (8,)} + 1", eight)); }, "tensor x", "nothing after"},
    {"fortran_order is a word", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '|u1', 'fortran_order': Maybe, 'shape': (8,)}", eight)); }, "tensor x", "True or False"},
    {"an array is of another dtype", [](Sample& s) { x_npy(s, npy("|i1", "(1, 2, 2, 2)", eight)); }, "tensor x", "an array of int8"},
    {"a header holds escape characters", [](Sample& s) { x_npy(s, npy_with_header("{'descr': '\x1b[31m\n', 'fortran_order'", eight)); }, "tensor x", "\\x1b[31m\\x0a"},
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a good dump is read", "[dump]") {
  Sample s;
  CHECK_NOTHROW(read_all(s.open()));
}

TEST_CASE("what the format refuses is refused in one line with its place", "[dump]") {
  for (const auto& r : refusals) {
    DYNAMIC_SECTION(r.sentence) {
      Sample s;
      r.spoil(s);
      s.write();
      if (std::string_view(r.sentence) == "the manifest is missing") fs::remove(s.path / "manifest.json");
      const std::string message = message_of([&] { read_all(Dump::open(s.path)); });
      INFO(message);
      CHECK(message.rfind(s.path.string(), 0) == 0);
      CHECK(message.find(r.place) != std::string::npos);
      if (std::string_view(r.sentence) != "the manifest is missing") CHECK(message.find(r.found) != std::string::npos);
      CHECK(message.find("expected ") != std::string::npos);
      for (const char c : message) CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7F));
    }
  }
}

TEST_CASE("a dump that is not there is refused", "[dump]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(Dump::open(folder.path / "nothing"), Catch::Contains("no such directory"));
  CHECK_THROWS_WITH(Dump::open(folder.path), Catch::Contains("manifest.json: found No such file"));
}

TEST_CASE("unknown keys, unknown operators and null are allowed", "[dump]") {
  Sample s;
  s.manifest["comment"] = {{"made", "by hand"}};
  s.manifest["profile"] = nullptr;
  s.tensor("x").update({{"note", 1}, {"layout", nullptr}, {"axis", nullptr}});
  s.conv()["op"] = "frobnicate";
  s.attributes().update({{"words", {"a", "b"}}, {"object", {{"a", 1}}}, {"nothing", nullptr}, {"activation", nullptr}});
  const Dump dump = s.open();
  CHECK_NOTHROW(read_all(dump));
  CHECK_FALSE(dump.layers()[0].attributes.has("activation"));
  CHECK_THROWS_AS(dump.layers()[0].attributes.list("object"), Error);
}

TEST_CASE("an unknown profile is allowed where another will be used", "[dump]") {
  Sample s;
  s.manifest["profile"] = "my-accelerator";
  s.write();
  CHECK_NOTHROW(Dump::open(s.path, false));
}

TEST_CASE("a scale of 0 is allowed where a row may be constant", "[dump]") {
  Sample s;
  s.file("tensors/w.scale.npy", npy("<f8", "(2,)", raw<double>({0.25, 0})));
  s.conv() = {{"name", "rows"}, {"op", "embedding"}, {"inputs", {{"weight", "w"}}}, {"outputs", {{"y", "y"}}}};
  CHECK_NOTHROW(read_all(s.open()));
}
