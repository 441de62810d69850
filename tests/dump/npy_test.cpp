// npy_test.cpp: NumPy's files, every dtype and order, against bytes written by NumPy and by hand.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "lib/dump/npy.hpp"
#include "tests/support.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s.data(), s.size())); }

Tensor read(const std::string& file) {
  auto held = std::make_shared<const std::string>(file);
  return to_tensor(parse_npy(bytes_of(*held), "test"), held, "t");
}

template <class T>
struct Case {
  const char* code;
  DType dtype;
  std::vector<T> values;  // six of them
};

template <class T>
void round_trips(const Case<T>& c) {
  INFO(c.code);
  const std::vector<T> by_columns{c.values[0], c.values[3], c.values[1], c.values[4], c.values[2], c.values[5]};
  const std::string item(c.code);
  for (const char order : {'<', '>', '='})
    for (const bool fortran : {false, true})
      for (const int version : {1, 2, 3}) {
        if (sizeof(T) == 1 && order != '<') continue;
        const std::string descr = (sizeof(T) == 1 ? '|' : order) + item;
        const Tensor t = read(npy(descr, "(2, 3)", raw(fortran ? by_columns : c.values, order == '>'), fortran, version));
        CHECK(t.dtype == c.dtype);
        CHECK(t.shape == Shape{2, 3});
        CHECK(t.stored_axes.empty());
        CHECK(std::string(reinterpret_cast<const char*>(t.data), 6 * sizeof(T)) == raw(c.values));
      }
  const Tensor t = read(npy((sizeof(T) == 1 ? "|" : "<") + item, "(2, 3)", raw(c.values)));
  const auto again = npy_bytes(t);
  const Tensor u = read(std::string(reinterpret_cast<const char*>(again.data()), again.size()));
  CHECK(u.shape == t.shape);
  CHECK(u.dtype == t.dtype);
  CHECK(std::memcmp(u.data, t.data, 6 * sizeof(T)) == 0);
}

}  // namespace

TEST_CASE("every dtype, byte order, axis order and version is read", "[dump][npy]") {
  round_trips<std::uint8_t>({"u1", DType::uint8, {0, 1, 127, 128, 254, 255}});
  round_trips<std::uint8_t>({"b1", DType::uint8, {0, 1, 1, 0, 1, 0}});
  round_trips<std::int8_t>({"i1", DType::int8, {0, 1, 127, -128, -2, -1}});
  round_trips<std::uint16_t>({"u2", DType::uint16, {0, 1, 256, 32768, 65534, 65535}});
  round_trips<std::int16_t>({"i2", DType::int16, {0, 1, 256, -32768, -2, -1}});
  round_trips<std::int32_t>({"i4", DType::int32, {0, 1, 65536, INT32_MIN, INT32_MAX, -1}});
  round_trips<std::int64_t>({"i8", DType::int64, {0, 1, 1LL << 40, INT64_MIN, INT64_MAX, -1}});
  round_trips<std::uint16_t>({"f2", DType::float16, {0, 0x3C00, 0x8001, 0x7BFF, 0x7C00, 0xFE00}});
  round_trips<float>({"f4", DType::float32, {0.0f, -0.0f, 1.5f, 0x1p-149f, INFINITY, -3e38f}});
  round_trips<double>({"f8", DType::float64, {0.0, -0.0, 0.1, 0x1p-1074, -INFINITY, 1e308}});
}

TEST_CASE("scalars, empty arrays and odd spellings are read", "[dump][npy]") {
  CHECK(read(npy("<f4", "()", raw<float>({2.5f}))).shape.empty());
  CHECK(read(npy("<f4", "()", raw<float>({2.5f}))).f32() == std::vector<float>{2.5f});
  CHECK(read(npy("<f4", "(0, 3)", "")).shape == Shape{0, 3});
  CHECK(read(npy("<f4", "(3, 0)", "", true)).shape == Shape{3, 0});
  CHECK(read(npy_with_header(R"({"shape":(2,),"fortran_order":True,"descr":"|u1"})", "ab")).i32() == std::vector<std::int32_t>{'a', 'b'});
  CHECK(read(npy_with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2L,), }", "ab")).shape == Shape{2});
}

TEST_CASE("three axes in Fortran order", "[dump][npy]") {
  std::vector<std::int32_t> c(24), f(24);
  for (int i = 0, at = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k, ++at) c[static_cast<std::size_t>(at)] = f[static_cast<std::size_t>(i + 2 * j + 6 * k)] = 100 * i + 10 * j + k;
  CHECK(read(npy("<i4", "(2, 3, 4)", raw(f), true)).i32() == c);
  CHECK(read(npy(">i4", "(2, 3, 4)", raw(f, true), true)).i32() == c);
}

TEST_CASE("a plain array is a view, not a copy", "[dump][npy]") {
  const std::string file = npy("<i4", "(2,)", raw<std::int32_t>({1, 2}));
  const NpyArray a = parse_npy(bytes_of(file), "test");
  CHECK(to_tensor(a, nullptr, "t").data == a.data.data());
}

TEST_CASE("arrays lie in more folders than a process may hold open", "[dump][npy]") {
  TemporaryDump d;
  for (int i = 0; i < 200; ++i) {
    const std::string n = std::to_string(i);
    d.file("folder" + n + "/x.npy", npy("<i4", "(2,)", raw(std::vector<std::int32_t>{i, -i})));
    d.manifest["tensors"]["t" + n] = {{"file", "folder" + n + "/x.npy"}, {"dtype", "int32"}};
  }
  struct rlimit allowed {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &allowed) == 0);
  const struct rlimit few { 64, allowed.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const Dump dump = d.open();
  bool right = true;
  for (int i = 0; i < 200; ++i) right = right && dump.load("t" + std::to_string(i)).i32() == std::vector<std::int32_t>{i, -i};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &allowed) == 0);
  CHECK(right);
}

TEST_CASE("arrays below and above what is read at once hold the same", "[dump][npy]") {
  TemporaryDump d;
  Random random{4};
  for (const std::int64_t n : {1, 1000, (1 << 20) - 40, (1 << 20) + 1, 3 << 20}) {  // int32: around 4 MiB, and three times that
    std::vector<std::int32_t> values(static_cast<std::size_t>(n));
    for (auto& v : values) v = static_cast<std::int32_t>(random.next());
    d.file("x.npy", npy("<i4", "(" + std::to_string(n) + ",)", raw(values)));
    d.manifest["tensors"]["x"] = {{"file", "x.npy"}, {"dtype", "int32"}};
    const bool same = d.open().load("x").i32() == values;
    INFO(n);
    CHECK(same);
  }
}

TEST_CASE("a tensor is the same for every layer that binds it", "[dump][npy]") {
  TemporaryDump d;
  d.add("x", "uint8", npy("|u1", "(4,)", raw<std::uint8_t>({1, 2, 3, 4})), {{"scale", 0.5}, {"zero_point", 1}});
  for (int i = 0; i < 3; ++i) d.layer("l" + std::to_string(i), "relu", {{"x", "x"}}, Json::object());
  const Dump dump = d.open();
  for (int i = 0; i < 8; ++i) CHECK(dump.load("x").i64() == std::vector<std::int64_t>{1, 2, 3, 4});  // more often than it is named
  const Tensor first = dump.load("x"), second = dump.load("x");
  CHECK(second.q.scale == std::vector<double>{0.5});
  CHECK(first.q.zero_point == second.q.zero_point);
}

TEST_CASE("npy_bytes writes what numpy.save writes", "[dump][npy]") {
  // numpy.save of numpy.array([[1, -2, 3]], "<i4"), NumPy 2
  std::string expected = "\x93NUMPY" + std::string("\1\0v\0", 4) + "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }";
  expected.append(127 - expected.size(), ' ');
  expected += "\n" + raw<std::int32_t>({1, -2, 3});
  const auto bytes = npy_bytes(Tensor::of_integers("t", DType::int32, {1, 3}, {}, std::vector<std::int32_t>{1, -2, 3}));
  CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == expected);
}

TEST_CASE("every truncation of a good file is refused", "[dump][npy]") {
  const std::string file = npy("<f8", "(2, 2)", raw<double>({1, 2, 3, 4}));
  for (std::size_t n = 0; n < file.size(); ++n) CHECK_THROWS_AS(read(file.substr(0, n)), Error);
  CHECK_NOTHROW(read(file));
}
