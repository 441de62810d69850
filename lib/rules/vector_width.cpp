// vector_width.cpp: see vector_width.hpp.
#include "lib/rules/vector_width.hpp"

#include <charconv>

#include "lib/error.hpp"

namespace lastbit {

std::int64_t vector_width(const Layer& layer, const Cell& cell, std::int64_t otherwise) {
  if (!cell.with.count("vector")) return otherwise;
  const std::string text = cell.get("vector");
  std::int64_t width = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), width);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size() || width < 1) throw Error(layer.place + ": profile: parameter \"vector\"", "found \"" + text + "\", expected a number of elements from 1 on");
  return width;
}

}  // namespace lastbit
