// words.cpp: see words.hpp.
#include "lib/dump/words.hpp"

#include <algorithm>

namespace lastbit {
namespace {

/// Bytes of the UTF-8 character at `at` when it may be shown as it is: whole, and no control character (C0, DEL, C1, U+2028 and
/// U+2029, which end a line). 0 otherwise.
std::size_t shown(std::string_view s, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const unsigned first = byte(at);
  if (first < 0x80) return first >= 0x20 && first != 0x7F;
  const std::size_t n = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xF0 && first < 0xF5 ? 4 : 0;
  for (std::size_t k = 1; k < n; ++k)
    if ((byte(at + k) & 0xC0) != 0x80) return 0;
  if (first == 0xE0 && byte(at + 1) < 0xA0) return 0;                                    // longer than need be
  if (first == 0xED && byte(at + 1) > 0x9F) return 0;                                    // half of a surrogate pair
  if ((first == 0xF0 && byte(at + 1) < 0x90) || (first == 0xF4 && byte(at + 1) > 0x8F)) return 0;
  if (first == 0xC2 && byte(at + 1) <= 0x9F) return 0;
  if (first == 0xE2 && byte(at + 1) == 0x80 && (byte(at + 2) & 0xFE) == 0xA8) return 0;
  return n;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t longest) {
  constexpr char hex[] = "0123456789abcdef";
  if (text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) return std::string(text);  // nearly every name
  std::string line;
  for (std::size_t i = 0; i < text.size();) {
    if (line.size() >= longest) return line + "...";
    const std::size_t n = shown(text, i);
    if (n > 0) line += text.substr(i, n);
    else line += {'\\', 'x', hex[static_cast<unsigned char>(text[i]) >> 4], hex[text[i] & 15]};
    i += n > 0 ? n : 1;
  }
  return line;
}

}  // namespace lastbit
