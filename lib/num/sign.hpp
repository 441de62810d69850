// sign.hpp: on which side of a boundary a real number lies, when 128 bits tell it.
#pragma once
#include <array>
#include <optional>
#include <span>

namespace lastbit {

/// Factors of a product: finite numbers.
using Product = std::array<double, 4>;

/// The sign of the exact sum of the products, -1, 0 or 1; none where 128 bits do not hold it (exact.hpp does).
std::optional<int> sign_of_sum(std::span<const Product>);

}  // namespace lastbit
