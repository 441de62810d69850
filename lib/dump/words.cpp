// words.cpp: see words.hpp.
#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

constexpr std::size_t longest = 120;

/// Bytes at `at` that a terminal or a reader of lines would act upon: C0, DEL, C1 (C2 80..9F), U+2028 and U+2029.
std::size_t control_bytes(std::string_view s, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0; };
  if (byte(at) < 0x20 || byte(at) == 0x7F) return 1;
  if (byte(at) == 0xC2 && byte(at + 1) >= 0x80 && byte(at + 1) <= 0x9F) return 2;
  if (byte(at) == 0xE2 && byte(at + 1) == 0x80 && (byte(at + 2) == 0xA8 || byte(at + 2) == 0xA9)) return 3;
  return 0;
}

}  // namespace

std::string one_line(std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  std::string line;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && line.size() >= longest) return line + "...";
    const std::size_t n = control_bytes(text, i);
    if (n == 0) {
      line += text[i];
      continue;
    }
    for (std::size_t k = 0; k < n; ++k, ++i) {
      const auto b = static_cast<unsigned char>(text[i]);
      line += "\\x";
      line += hex[b >> 4];
      line += hex[b & 15];
    }
    --i;
  }
  return line;
}

}  // namespace lastbit
