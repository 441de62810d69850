// checksum.cpp: see checksum.hpp.
#include "golden/checksum.hpp"

#include <sha2.h>

#include <bit>

#include "lib/error.hpp"

namespace lastbit {
namespace {

void append(std::string& to, std::uint64_t v) {
  for (int i = 0; i < 8; ++i) to += static_cast<char>(v >> 8 * i & 0xFF);
}
void append(std::string& to, const std::string& text) {
  append(to, text.size());
  to += text;
}

}  // namespace

std::string sha256(const std::string& bytes) {
  char hex[SHA256_DIGEST_STRING_LENGTH];
  ensure(SHA256Data(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), hex) != nullptr, "SHA-256 could not be computed");
  return hex;
}

std::string checksum(const std::vector<Layer>& cases) {
  std::string all;
  for (const auto& layer : cases) {
    append(all, layer.name);
    for (const auto* ports : {&layer.inputs, &layer.outputs})
      for (const auto& [port, t] : *ports) {
        append(all, port);
        append(all, std::string(name(t.dtype)));
        append(all, t.shape.size());
        for (const auto d : t.shape) append(all, static_cast<std::uint64_t>(d));
        for (const auto* v : {&t.q.scale, &t.q.zero_point}) {
          append(all, v->size());
          for (const double d : *v) append(all, std::bit_cast<std::uint64_t>(d));
        }
        append(all, std::string(reinterpret_cast<const char*>(t.data), static_cast<std::size_t>(t.size() * stored_bytes(t.dtype))));
      }
  }
  return sha256(all);
}

}  // namespace lastbit
