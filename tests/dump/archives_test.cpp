// archives_test.cpp: arrays inside .npz and .safetensors: good ones read, hostile ones refused.
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "tests/dump/sample.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

const std::string x_data = raw<std::uint8_t>({0, 1, 2, 3, 4, 5, 6, 255});
const std::string x_npy = npy("|u1", "(1, 2, 2, 2)", x_data);
const std::string x_header = R"({"x": {"dtype": "U8", "shape": [1, 2, 2, 2], "data_offsets": [0, 8]}})";

struct Refusal {
  const char* sentence;
  std::function<void(Sample&)> spoil;
  const char* found;
};

ZipMember member(bool deflate = false) { return {.name = "x.npy", .data = x_npy, .deflate = deflate}; }
template <class Change>
std::function<void(Sample&)> zipped(Change change, bool deflate = false) {
  return [=](Sample& s) {
    ZipMember m = member(deflate);
    change(m);
    s.x_zip(m);
  };
}
std::function<void(Sample&)> archive(std::string bytes) {
  return [bytes](Sample& s) {
    s.file("a.npz", bytes);
    s.tensor("x")["file"] = "a.npz#x";
  };
}
std::function<void(Sample&)> safe(std::string header, std::string data = x_data) {
  return [=](Sample& s) { s.x_safetensors(header, data); };
}

const std::vector<Refusal> refusals = {
    {"an archive is missing", [](Sample& s) { s.tensor("x")["file"] = "a.npz#x"; }, "No such file"},
    {"an archive is empty", archive(""), "0 bytes"},
    {"an archive is no zip", archive(x_npy), "no readable archive"},
    {"an archive is cut off", archive(zip({member()}).substr(0, 150)), "no readable archive"},
    {"an archive's directory is cut off", archive(zip({member()}).substr(0, zip({member()}).size() - 30)), "no readable archive"},
    {"an archive says 65535 members", archive(zip({member()}, 65535)), "no readable archive"},
    {"an archive has no member", archive(zip({})), "no readable archive"},
    {"a member is missing", archive(zip({{.name = "y.npy", .data = x_npy}})), "no such member"},
    {"a member is there twice", archive(zip({member(), member()})), "two members"},
    {"a member is there under both names", archive(zip({member(), {.name = "x", .data = x_npy, .deflate = false}})), "two members"},
    {"a member is encrypted", zipped([](ZipMember& m) { m.flags = 1; }), "encrypted"},
    {"a member is packed by an unknown method", zipped([](ZipMember& m) { m.method = 14; }), "method 14"},
    {"a stored member says 4 GB", zipped([](ZipMember& m) { m.size = 0xFFFFFFF0; }), "at most 1 times"},
    {"a deflated member says 4 GB", zipped([](ZipMember& m) { m.size = 0xFFFFFFF0; }, true), "at most 100 times"},
    {"a deflated member says 200 KB", zipped([](ZipMember& m) { m.size = 200000; }, true), "times as many"},
    {"a member lies beyond the file", zipped([](ZipMember& m) { m.packed_size = 100000; m.size = 100000; }), "truncated?"},
    {"a member's size is one short", zipped([](ZipMember& m) { m.size = static_cast<std::uint32_t>(x_npy.size() - 1); }, true), "in the archive"},
    {"a member's size is one too many", zipped([](ZipMember& m) { m.size = static_cast<std::uint32_t>(x_npy.size() + 1); }, true), "ends after 136 bytes"},
    {"a member's checksum is wrong", zipped([](ZipMember& m) { m.crc = 1; }), "damaged data"},
    {"a deflated member's checksum is wrong", zipped([](ZipMember& m) { m.crc = 1; }, true), "damaged data"},
    {"a member's stream is no deflate", zipped([](ZipMember& m) { m.method = 8; }), "damaged data"},
    {"a member is no .npy", zipped([](ZipMember& m) { m.data = "hello, I am not an array"; }), "NUMPY"},
    {"a member's header says more than the member", zipped([](ZipMember& m) { m.data = npy("|u1", "(1, 2, 2, 3)", x_data); }), "in the archive"},
    {"a member's header says 2^60 bytes", zipped([](ZipMember& m) { m.data = npy("|u1", "(1152921504606846976,)", x_data); }), "in the archive"},
    {"a member is of another dtype", zipped([](ZipMember& m) { m.data = npy("|i1", "(1, 2, 2, 2)", x_data); }), "an array of int8"},
    {"a member has no bytes", zipped([](ZipMember& m) { m.data = ""; }), "0 bytes"},
    {"a bomb agrees with itself", zipped([](ZipMember& m) { m.data = npy("|u1", "(300000000,)", ""); m.size = 300000128; }, true), "at most 100 times"},

    {"a safetensors file is empty", [](Sample& s) { s.file("a.safetensors", ""); s.tensor("x")["file"] = "a.safetensors#x"; }, "0 bytes"},
    {"a safetensors header is longer than the file", [](Sample& s) { s.file("a.safetensors", little(1000, 8) + x_header); s.tensor("x")["file"] = "a.safetensors#x"; }, "a header of 1000 bytes"},
    {"a safetensors header says 2^63", [](Sample& s) { s.file("a.safetensors", little(std::uint64_t{1} << 63, 8) + x_header); s.tensor("x")["file"] = "a.safetensors#x"; }, "9223372036854775808"},
    {"a safetensors header is no JSON", safe("{\"x\":"), "no JSON"},
    {"a safetensors header is a list", safe("[]"), "an object as the header"},
    {"a safetensors header is deep", safe(std::string(100000, '[')), "32 levels"},
    {"a safetensors array is missing", safe("{}"), "no such array"},
    {"a safetensors array is there twice", safe(R"({"x": {}, "x": {}})"), "twice"},
    {"a safetensors array has no shape", safe(R"({"x": {"dtype": "U8", "data_offsets": [0, 8]}})"), "dtype, shape and data_offsets"},
    {"a safetensors dtype is bfloat16", safe(R"({"x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}})"), "\"BF16\""},
    {"a safetensors shape is negative", safe(R"({"x": {"dtype": "U8", "shape": [-8], "data_offsets": [0, 8]}})"), "found -8"},
    {"a safetensors shape overflows", safe(R"({"x": {"dtype": "U8", "shape": [4294967296, 4294967296], "data_offsets": [0, 8]}})"), "overflows"},
    {"a safetensors shape is not its bytes", safe(R"({"x": {"dtype": "U8", "shape": [9], "data_offsets": [0, 8]}})"), "8 bytes of data, expected 9"},
    {"safetensors offsets leave the file", safe(R"({"x": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}})"), "the offsets [0,9]"},
    {"safetensors offsets run backwards", safe(R"({"x": {"dtype": "U8", "shape": [8], "data_offsets": [8, 0]}})"), "the offsets [8,0]"},
    {"safetensors offsets are huge", safe(R"({"x": {"dtype": "U8", "shape": [8], "data_offsets": [18446744073709551608, 18446744073709551615]}})"), "18446744073709551608"},
    {"a safetensors name is missing from the path", [](Sample& s) { s.tensor("x")["file"] = "a.safetensors"; }, "a.safetensors#name"},
};

std::vector<std::int64_t> values(const Dump& dump) { return dump.load("x").i64(); }
const std::vector<std::int64_t> x_values{0, 1, 2, 3, 4, 5, 6, 255};

}  // namespace

TEST_CASE("hostile archives are refused in one line with their place", "[dump][archive]") {
  for (const auto& r : refusals) {
    DYNAMIC_SECTION(r.sentence) {
      Sample s;
      r.spoil(s);
      s.write();
      std::string message;
      try {
        read_all(Dump::open(s.path));
      } catch (const Error& e) {
        message = e.what();
      }
      INFO(message);
      CHECK(message.rfind((s.path / "manifest.json").string() + ": tensor x", 0) == 0);
      CHECK(message.find(r.found) != std::string::npos);
      CHECK(message.find("expected ") != std::string::npos);
      CHECK(message.find('\n') == std::string::npos);
    }
  }
}

TEST_CASE("a member is found with and without .npy, stored and deflated", "[dump][archive]") {
  const auto [deflate, name] = GENERATE(table<bool, std::string>({{false, "x.npy"}, {false, "x"}, {true, "x.npy"}, {true, "x"}}));
  Sample s;
  ZipMember m = member(deflate);
  m.name = name;
  s.x_zip(m);
  CHECK(values(s.open()) == x_values);
  s.tensor("x")["file"] = "a.npz#" + name;
  CHECK(values(s.open()) == x_values);
}

TEST_CASE("a member larger than any header is read whole", "[dump][archive]") {
  TemporaryDump d;
  Random random{7};
  std::vector<std::int32_t> numbers(100000);
  for (auto& n : numbers) n = static_cast<std::int32_t>(random.next());
  ZipMember m{.name = "n.npy", .data = npy("<i4", "(100000,)", raw(numbers)), .deflate = true};
  d.file("a.npz", zip({m}));
  d.manifest["tensors"]["n"] = {{"file", "a.npz#n"}, {"dtype", "int32"}};
  CHECK(d.open().load("n").i32() == numbers);
}

TEST_CASE("members' names may be of any length", "[dump][archive]") {
  TemporaryDump d;
  std::vector<ZipMember> members;
  for (const std::size_t length : {1, 255, 256, 257, 258, 5000, 2}) {
    const std::string name(length, 'n');
    members.push_back({.name = name, .data = npy("<i4", "(1,)", raw(std::vector<std::int32_t>(1, static_cast<std::int32_t>(length))))});
    d.manifest["tensors"][std::to_string(length)] = {{"file", "a.npz#" + name}, {"dtype", "int32"}};
  }
  d.file("a.npz", zip(members));
  const Dump dump = d.open();
  for (const std::int32_t length : {1, 255, 256, 257, 258, 5000, 2}) CHECK(dump.load(std::to_string(length)).i32() == std::vector<std::int32_t>(1, length));
}

TEST_CASE("threads read one archive at once", "[dump][archive]") {
  TemporaryDump d;
  std::vector<ZipMember> members;
  for (int i = 0; i < 64; ++i) {
    members.push_back({.name = std::to_string(i) + ".npy", .data = npy("<i4", "(20000,)", raw(std::vector<std::int32_t>(20000, i))), .deflate = i % 2 == 0});
    d.manifest["tensors"]["t" + std::to_string(i)] = {{"file", "a.npz#" + std::to_string(i)}, {"dtype", "int32"}};
  }
  d.file("a.npz", zip(members));
  const Dump dump = d.open();
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < wrong.size(); ++k)
    threads.emplace_back([&, k] {
      for (int i = 0; i < 128; ++i) {
        const int n = static_cast<int>((static_cast<std::size_t>(i) * (2 * k + 1)) % 64);
        wrong[k] += dump.load("t" + std::to_string(n)).i32() != std::vector<std::int32_t>(20000, n);
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("a safetensors array is a view of its bytes", "[dump][archive]") {
  Sample s;
  s.x_safetensors(x_header, x_data);
  CHECK(values(s.open()) == x_values);
  s.x_safetensors(R"({"__metadata__": {"by": "hand"}, "z": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "x": {"dtype": "U8", "shape": [1, 2, 2, 2], "data_offsets": [4, 12]}})", "abcd" + x_data);
  CHECK(values(s.open()) == x_values);
}

TEST_CASE("a # belongs to a file's name unless an archive stands before it", "[dump][archive]") {
  Sample s;
  s.file("x#2.npy", x_npy);
  s.tensor("x")["file"] = "x#2.npy";
  CHECK(values(s.open()) == x_values);
}
