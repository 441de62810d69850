// fuzz_test.cpp: thousands of damaged files, the same ones on every machine. A reader may refuse them, with Error; nothing else.
#include <catch2/catch.hpp>

#include "lib/dump/npy.hpp"
#include "tests/dump/sample.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

/// One to four changes: bits flipped, bytes set to borders, runs cut, doubled, moved, and words a parser trips over.
std::string damaged(std::string s, Random& random, const std::vector<std::string>& words) {
  static constexpr unsigned char borders[] = {0, 1, 0x7F, 0x80, 0xFF, '"', '{', '}', '[', ']', '(', ')', ',', '-', '9', '.', '/', '\\'};
  for (std::uint64_t changes = 1 + random.below(4); changes-- > 0 && !s.empty();) {
    const std::size_t at = random.below(s.size()), n = 1 + random.below(std::min<std::size_t>(16, s.size() - at));
    switch (random.below(8)) {
      case 0: s[at] = static_cast<char>(s[at] ^ 1 << random.below(8)); break;
      case 1: s[at] = static_cast<char>(borders[random.below(sizeof borders)]); break;
      case 2: s.resize(at); break;
      case 3: s.erase(at, n); break;
      case 4: s.insert(at, s.substr(random.below(s.size()), n)); break;
      case 5: s.replace(at, n, std::string(n, static_cast<char>(random.below(2) ? 0xFF : 0))); break;
      default: {
        const std::string& w = words[random.below(words.size())];
        s.replace(at, random.below(2) ? w.size() : 0, w);
      }
    }
  }
  return s;
}

struct Tally {
  int read = 0, refused = 0;
  template <class F>
  void operator()(F f) {
    try {
      f();
      ++read;
    } catch (const Error& e) {
      ++refused;
      if (std::string_view(e.what()).find('\n') != std::string_view::npos) FAIL("a message of two lines: " << e.what());
    }
  }
};

const std::vector<std::string> npy_words{"(", ")", "4294967296, ", "9223372036854775807", "-1", "'>f8'", "'|O'", "True", "'shape': ", "0", "\x93NUMPY", ", ", "[('a', '<f4')]"};
const std::vector<std::string> json_words{"null", "true", "-1", "1e308", "18446744073709551616", "[]", "{}", "\"\"", "\"..\"", "\"../\"", "\"y\"", "\"x\"", "[[[[[[[[", "\\u0000", "\\ud800", "0.5", "\"NHWC\"", "\"OHWI\"", "\"layout\":", "\"packed\":\"low_first\",", "\"axis\":3,", "\"uint4\"", "\"int64\"", "\"float16\""};
const std::vector<std::string> zip_words{"PK\x03\x04", "PK\x01\x02", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07", std::string("\0\0\0\0", 4), "\xff\xff\xff\xff", "x.npy"};

}  // namespace

TEST_CASE("damaged .npy files are read or refused", "[dump][fuzz]") {
  Random random{1};
  const std::vector<std::string> good{npy("<f4", "(2, 3)", raw<float>({1, 2, 3, 4, 5, 6})), npy(">i8", "(3, 1, 2)", raw<std::int64_t>({1, 2, 3, 4, 5, 6}), true, 2), npy("|u1", "()", "a")};
  Tally tally;
  for (int i = 0; i < 20000; ++i) {
    const std::string file = damaged(good[random.below(good.size())], random, npy_words);
    tally([&] {
      const NpyArray a = parse_npy(std::as_bytes(std::span(file.data(), file.size())), "fuzz");
      const Tensor t = to_tensor(a, nullptr, "fuzz");
      REQUIRE(static_cast<std::size_t>(t.size() * stored_bytes(t.dtype)) == a.data.size());
      t.f64();
    });
  }
  CHECK(tally.read > 0);
  CHECK(tally.refused > 10000);
}

TEST_CASE("damaged archives are read or refused", "[dump][fuzz]") {
  Random random{2};
  const std::string x = npy("|u1", "(1, 2, 2, 2)", raw<std::uint8_t>({0, 1, 2, 3, 4, 5, 6, 255}));
  const std::string good = zip({{.name = "x.npy", .data = x, .deflate = true}, {.name = "y.npy", .data = x}});
  Sample s;
  s.tensor("x")["file"] = "a.npz#x";
  s.tensor("y")["file"] = "a.npz#y";
  s.file("a.npz", good);
  Tally tally;
  tally([&] { read_all(s.open()); });
  REQUIRE(tally.read == 1);
  for (int i = 0; i < 2000; ++i) {
    s.file("a.npz", damaged(good, random, zip_words));
    tally([&] { read_all(Dump::open(s.path)); });
  }
  CHECK(tally.refused > 1000);
}

TEST_CASE("damaged safetensors files are read or refused", "[dump][fuzz]") {
  Random random{3};
  const std::string header = R"({"x":{"dtype":"U8","shape":[1,2,2,2],"data_offsets":[0,8]},"y":{"dtype":"U8","shape":[1,2,2,2],"data_offsets":[8,16]}})";
  const std::string good = little(header.size(), 8) + header + "0123456789abcdef";
  Sample s;
  s.tensor("x")["file"] = "a.safetensors#x";
  s.tensor("y")["file"] = "a.safetensors#y";
  s.write();
  Tally tally;
  for (int i = 0; i < 2000; ++i) {
    s.file("a.safetensors", damaged(good, random, json_words));
    tally([&] { read_all(Dump::open(s.path)); });
  }
  CHECK(tally.refused > 1000);
}

TEST_CASE("damaged manifests are read or refused", "[dump][fuzz]") {
  Random random{4};
  Sample s;
  const std::string good = s.manifest.dump();
  Tally tally;
  for (int i = 0; i < 3000; ++i) {
    s.text = damaged(good, random, json_words);
    tally([&] { read_all(s.open()); });
  }
  CHECK(tally.refused > 1000);
}

TEST_CASE("manifests with one value replaced are read or refused", "[dump][fuzz]") {
  Random random{5};
  Sample s;
  const Json good = s.manifest;
  const Json flat = good.flatten();
  std::vector<std::string> paths;
  for (const auto& [path, value] : flat.items()) paths.push_back(path);
  const std::vector<Json> values{nullptr, true, -1, 0, 1, 3, 256, 1LL << 40, INT64_MIN, UINT64_MAX, 0.5, -0.0, 1e308, "", "x", "y", "w", "..", "uint4", "int2", "NCHW", "NHWC", "OHWI", "IHWO", "tensors/x.npy", "tensors/w.scale.npy", "a.npz#", Json::array(), {1, 2}, {1.5}, {"a"}, Json::object(), {{"file", "tensors/b.npy"}}, {{"min", 1}, {"max", 2}}};
  Tally tally;
  for (int i = 0; i < 3000; ++i) {
    s.manifest = good;
    for (std::uint64_t changes = 1 + random.below(3); changes-- > 0;) {
      Json::json_pointer at(paths[random.below(paths.size())]);
      for (std::uint64_t up = random.below(3); up-- > 0 && !at.parent_pointer().empty();) at = at.parent_pointer();
      try {
        s.manifest[at] = values[random.below(values.size())];
      } catch (const Json::exception&) {}  // the first change took its parent away
    }
    tally([&] { read_all(s.open()); });
  }
  CHECK(tally.refused > 1000);
}
