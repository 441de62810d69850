// sample.hpp: a few elements that tell of most suspects that they are no cause; Case::sample() has those of a case.
#pragma once
#include <cstdint>
#include <vector>

namespace lastbit {

/// Elements spread over a list, first and last among them.
std::vector<std::int64_t> spread(const std::vector<std::int64_t>& from, std::size_t n);

}  // namespace lastbit
