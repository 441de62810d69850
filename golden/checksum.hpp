// checksum.hpp: SHA-256 over a suite's vectors.
#pragma once
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

/// Hexadecimal, over what docs/golden.md spells out: for every case its name, then every tensor in the order of its port's name
/// (inputs, then outputs): port, type, shape, scales and zero points as float64 bits, values little-endian.
std::string checksum(const std::vector<Layer>& cases);
std::string sha256(const std::string& bytes);

}  // namespace lastbit
