// ordered_sums_test.cpp: sums in floating point have the bits of the plain loop on every instruction set.
#include <catch2/catch.hpp>

#include <cstring>
#include <vector>

#include "lib/kernels/ordered_sums.hpp"
#include "lib/kernels/target.hpp"

using namespace lastbit;

namespace {

/// Numbers of both signs over thirty powers of two, so that every order of the sum has other bits.
template <class T>
std::vector<T> numbers(std::size_t n, std::uint64_t seed) {
  std::vector<T> v(n);
  for (auto& x : v) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto bits = static_cast<std::int32_t>(seed >> 40) - (1 << 23);
    x = static_cast<T>(bits) / static_cast<T>(std::int64_t{1} << (seed >> 33 & 31));
  }
  return v;
}

template <class T>
void compare_with_the_plain_loop() {
  std::int64_t reversed_differs = 0;
  for (const std::int64_t columns : {16, 48, 64, 144})
    for (const std::int64_t rows : {1, 2, 3, 4, 7})
      for (const std::int64_t terms : {0, 1, 5, 300}) {
        const auto x = numbers<T>(static_cast<std::size_t>(rows * terms), 1), w = numbers<T>(static_cast<std::size_t>(terms * columns), 2), start = numbers<T>(static_cast<std::size_t>(rows * columns), 3);
        std::vector<T> plain = start, backwards = start, fast = start;
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t o = 0; o < columns; ++o)
            for (std::int64_t k = 0; k < terms; ++k) {
              const auto at = static_cast<std::size_t>(r * columns + o), back = static_cast<std::size_t>(terms - 1 - k), here = static_cast<std::size_t>(k), row = static_cast<std::size_t>(r * terms);
              const T product = x[row + here] * w[here * static_cast<std::size_t>(columns) + static_cast<std::size_t>(o)];
              plain[at] = plain[at] + product;
              const T other = x[row + back] * w[back * static_cast<std::size_t>(columns) + static_cast<std::size_t>(o)];
              backwards[at] = backwards[at] + other;
            }
        ordered_sums(x.data(), rows, terms, w.data(), columns, fast.data());
        CHECK(std::memcmp(fast.data(), plain.data(), fast.size() * sizeof(T)) == 0);
        reversed_differs += std::memcmp(backwards.data(), plain.data(), fast.size() * sizeof(T)) != 0;
      }
  CHECK(reversed_differs > 0);  // else any order would have passed
}

}  // namespace

TEST_CASE("sums in floating point keep their order on every instruction set", "[kernels][float]") {
  for (const auto& target : supported_targets()) {
    INFO(target);
    REQUIRE(limit_target(target));
    compare_with_the_plain_loop<float>();
    compare_with_the_plain_loop<double>();
  }
  limit_target("");
}
