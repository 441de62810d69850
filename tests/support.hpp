// support.hpp: dumps for tests, written by code that shares nothing with the reader.
#pragma once
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dump/dump.hpp"
#include "lib/error.hpp"

namespace lastbit::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A folder that goes away with the test.
struct TemporaryFolder {
  fs::path path;
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "lastbit-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    path = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

inline void write_file(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  fs::remove(path);  // a file truncated and written again is flushed to disk at once by some file systems
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Values as they lie in memory, little-endian (or big, item by item).
template <class T>
std::string raw(const std::vector<T>& values, bool big_endian = false) {
  std::string bytes;
  for (const T v : values) {
    std::string item(sizeof(T), '\0');
    std::memcpy(item.data(), &v, sizeof(T));
    bytes += big_endian ? std::string(item.rbegin(), item.rend()) : item;
  }
  return bytes;
}

/// n bytes, the low `width` of them from v, least significant first.
inline std::string little(std::uint64_t v, std::size_t width) {
  std::string s;
  for (std::size_t i = 0; i < width; ++i, v >>= 8) s += static_cast<char>(v & 0xFF);
  return s;
}

/// A .npy file around any header text.
inline std::string npy_with_header(std::string header, std::string_view data, int version = 1) {
  const std::size_t fixed = version == 1 ? 10 : 12;
  header.append(63 - (fixed + header.size()) % 64, ' ');
  header += '\n';
  return "\x93NUMPY" + little(static_cast<std::uint64_t>(version), 1) + little(0, 1) + little(header.size(), version == 1 ? 2 : 4) + header + std::string(data);
}
/// npy("<f4", "(2, 3)", raw(values))
inline std::string npy(const std::string& descr, const std::string& shape, std::string_view data, bool fortran = false, int version = 1) {
  return npy_with_header("{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }", data, version);
}

/// One member of a zip archive; what is set lies about the rest.
struct ZipMember {
  std::string name, data;
  bool deflate = false;
  std::optional<std::uint32_t> size = {}, packed_size = {}, crc = {};
  std::optional<std::uint16_t> method = {}, flags = {};
};

inline std::string deflated(const std::string& data) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, static_cast<uLong>(data.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// PKZIP's APPNOTE: local headers with their data, the central directory, its end.
inline std::string zip(const std::vector<ZipMember>& members, std::optional<std::uint16_t> claimed_entries = {}) {
  std::string file, directory;
  for (const auto& m : members) {
    const std::string packed = m.deflate ? deflated(m.data) : m.data;
    const auto crc = m.crc.value_or(static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(m.data.data()), static_cast<uInt>(m.data.size()))));
    const std::string common = little(20, 2) + little(m.flags.value_or(0), 2) + little(m.method.value_or(m.deflate ? 8 : 0), 2) + little(0, 4) + little(crc, 4) +
                               little(m.packed_size.value_or(static_cast<std::uint32_t>(packed.size())), 4) + little(m.size.value_or(static_cast<std::uint32_t>(m.data.size())), 4) +
                               little(m.name.size(), 2) + little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(file.size(), 4) + m.name;
    file += "PK\x03\x04" + common + m.name + packed;
  }
  const std::size_t entries = claimed_entries.value_or(static_cast<std::uint16_t>(members.size()));
  return file + directory + "PK\x05\x06" + little(0, 4) + little(entries, 2) + little(entries, 2) + little(directory.size(), 4) + little(file.size(), 4) + little(0, 2);
}

/// A dump in a temporary folder: fill `manifest`, write files, open. `add` writes tensors/NAME.npy and its entry.
struct TemporaryDump {
  TemporaryFolder folder;
  fs::path path = folder.path / "run";
  Json manifest = {{"format", "lastbit-dump"}, {"version", 1}, {"producer", {{"framework", "pytorch"}, {"version", "2.13.0"}}}, {"tensors", Json::object()}, {"layers", Json::array()}};
  std::optional<std::string> text;  // instead of the manifest

  void file(const std::string& name, std::string_view bytes) const { write_file(path / name, bytes); }
  void add(const std::string& name, const std::string& dtype, std::string_view npy_file, const Json& keys = Json::object()) {
    file("tensors/" + name + ".npy", npy_file);
    manifest["tensors"][name] = {{"file", "tensors/" + name + ".npy"}, {"dtype", dtype}};
    manifest["tensors"][name].update(keys);
  }
  void layer(const std::string& name, const std::string& op, const Json& inputs, const Json& outputs, const Json& attributes = Json::object()) {
    manifest["layers"].push_back({{"name", name}, {"op", op}, {"inputs", inputs}, {"outputs", outputs}, {"attributes", attributes}});
  }
  void write() const { write_file(path / "manifest.json", text ? *text : manifest.dump()); }
  Dump open() const {
    write();
    return Dump::open(path);
  }
};

/// splitmix64: the same numbers on every machine.
struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  std::int64_t between(std::int64_t lo, std::int64_t hi) { return lo + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(hi - lo) + 1)); }
};

}  // namespace lastbit::test
