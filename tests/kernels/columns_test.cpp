// columns_test.cpp: products of a few rows with weights that lie term by term.
#include <catch2/catch.hpp>

#include "lib/kernels/columns.hpp"
#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

KernelCase product(std::int64_t rows, std::int64_t terms, std::int64_t columns, DType x, std::int64_t x_zero, DType w, std::int64_t w_zero) {
  KernelCase c;
  c.g = window(rows, 1, terms, columns, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, false);
  c.x_dtype = x, c.w_dtype = w, c.x_zero_point = x_zero, c.w_zero_point = {w_zero};
  return c;
}

/// The case's request with its weights term by term, kept in `w`.
StreamRequest terms_first(const KernelCase& c, std::vector<std::byte>& w) {
  StreamRequest r = c.request();
  w.resize(c.w_stored.size());
  const std::int64_t K = c.g.in_channels, O = c.g.out_channels;
  for (std::int64_t k = 0; k < K; ++k)
    for (std::int64_t o = 0; o < O; ++o) w[static_cast<std::size_t>(k * O + o)] = c.w_stored[static_cast<std::size_t>(o * K + k)];
  r.operands.w = w.data();
  r.operands.w_terms_first = true;
  return r;
}

}  // namespace

TEST_CASE("weights that lie term by term give the plain loop's sums, and their own", "[kernels]") {
  int taken = 0;
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random random{11};
    for (int i = 0; i < 200; ++i) {
      const bool flat = random.below(2) == 0;
      KernelCase c = product(random.between(1, 8), random.between(1, 90), random.between(1, 150), flat ? DType::uint8 : DType::int8, flat ? random.between(0, 255) : random.between(-128, 127),
                             random.below(2) ? DType::int8 : DType::uint8, 0);
      if (c.w_dtype == DType::uint8) c.w_zero_point = {128};
      if (i < 3) c = product(2, 65536, 3, DType::uint8, i == 0 ? 255 : 0, DType::int8, 0), c.extreme = true;  // all that int32 holds
      if (i == 2) c.x_dtype = DType::int8, c.x_zero_point = 127;
      c = filled(c, random);
      if (i == 1) std::fill(c.x_stored.begin(), c.x_stored.end(), std::byte{255}), std::fill(c.x.begin(), c.x.end(), 255), std::fill(c.w_stored.begin(), c.w_stored.end(), std::byte{0x80}), std::fill(c.w.begin(), c.w.end(), -128);
      std::vector<std::byte> w;
      const StreamRequest r = terms_first(c, w);
      REQUIRE(columns_take(r) == kernel_target().bytes);
      if (!columns_take(r)) continue;
      ++taken;
      INFO(c.g.batch << " x " << c.g.in_channels << " x " << c.g.out_channels);
      std::vector<std::int64_t> acc(static_cast<std::size_t>(c.g.batch * c.g.out_channels));
      std::vector<int> times(acc.size());
      StreamNotes notes;
      const std::string kernel = stream_sums(r, [&](const SumBlock& b) {
        REQUIRE(b.acc);
        for (std::int64_t run = 0; run < b.runs; ++run)
          for (std::int64_t k = 0; k < b.length; ++k) {
            const auto at = static_cast<std::size_t>(b.first + run * b.step + k);
            acc[at] = b.acc[run * b.acc_step + k];
            ++times[at];
          }
      }, &notes);
      CHECK(kernel == "columns@" + target);
      CHECK(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; }));
      const bool equal = acc == c.plain();
      CHECK(equal);
      std::vector<std::int64_t> sum, size;
      for (std::int64_t o = 0; o < c.g.out_channels; ++o) {
        std::int64_t s = 0, a = 0;
        for (std::int64_t k = 0; k < c.g.in_channels; ++k) {
          const std::int64_t v = c.w[static_cast<std::size_t>(o * c.g.in_channels + k)] - c.w_zero_point[0];
          s += v, a += std::abs(v);
        }
        sum.push_back(s), size.push_back(a);
      }
      CHECK(notes.w_sum == sum);
      CHECK(notes.w_size == size);
    }
  }
  const auto targets = supported_targets();
  CHECK((taken > 150) == (std::find(targets.begin(), targets.end(), "avx3_dl") != targets.end()));
}

TEST_CASE("weights are read term by term where sums need nothing else", "[kernels]") {
  std::vector<std::byte> w;
  Random random{3};
  const auto takes = [&](const KernelCase& c, bool terms = false) {
    const KernelCase full = filled(c, random);
    StreamRequest r = terms_first(full, w);
    r.terms = terms;
    return columns_take(r);
  };
  const bool can = kernel_target().bytes;
  CHECK(takes(product(1, 8, 8, DType::uint8, 3, DType::int8, 0)) == can);
  CHECK(!takes(product(1, 8, 8, DType::uint8, 3, DType::int8, 0), true));
  CHECK(!takes(product(9, 8, 8, DType::uint8, 3, DType::int8, 0)));
  CHECK(!takes(product(1, 65537, 1, DType::uint8, 3, DType::int8, 0)));
  CHECK(!takes(product(1, 8, 8, DType::uint8, 3, DType::int8, 1)));
  CHECK(!takes(product(1, 8, 8, DType::uint8, 3, DType::uint8, 0)));
  CHECK(!takes(product(1, 8, 8, DType::int16, 0, DType::int8, 0)));
  CHECK(!takes(product(1, 8, 8, DType::uint8, -1, DType::int8, 0)));
}
