// words.hpp: how the reader words what it refuses: always one line, whatever bytes a name holds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.hpp"

namespace lastbit {

/// Text of a dump made fit for a message: control characters and what is not UTF-8 escaped, cut after `longest` bytes.
std::string one_line(std::string_view text, std::size_t longest = 120);
/// The same in quotation marks.
inline std::string in_quotes(std::string_view text) { return '"' + one_line(text) + '"'; }

[[noreturn]] inline void refuse(const std::string& place, const std::string& found, const std::string& expected) {
  throw Error(place, "found " + found + ", expected " + expected);
}

}  // namespace lastbit
