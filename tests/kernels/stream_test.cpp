// stream_test.cpp: on every instruction set that this processor runs, every kernel against the plain loop.
#include <catch2/catch.hpp>
#include <set>

#include "lib/kernels/target.hpp"
#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

std::string told(const KernelCase& c) {
  std::string s = c.name;
  const auto add = [&](const char* n, std::int64_t v) { s += std::string(" ") + n + "=" + std::to_string(v); };
  const auto three = [&](const char* n, const std::array<std::int64_t, 3>& v) { s += std::string(" ") + n + "=" + std::to_string(v[0]) + "x" + std::to_string(v[1]) + "x" + std::to_string(v[2]); };
  s += " " + std::string(name(c.x_dtype)) + " by " + std::string(name(c.w_dtype));
  add("N", c.g.batch), add("groups", c.g.groups), add("C", c.g.in_channels), add("O", c.g.out_channels), add("xz", c.x_zero_point);
  add("wz", static_cast<std::int64_t>(c.w_zero_point.size())), add("transposed", c.g.transposed), add("nhwc", c.channels_last), add("w_last", c.w_channels_last), add("out_last", c.out_channels_last);
  three("in", c.g.in), three("kernel", c.g.kernel), three("stride", c.g.stride), three("dilation", c.g.dilation), three("begin", c.g.begin), three("out", c.g.out);
  return s;
}

Streamed check(const KernelCase& c) {
  INFO(told(c));
  const Streamed s = streamed(c);
  INFO(s.kernel);
  CHECK(std::all_of(s.times.begin(), s.times.end(), [](int n) { return n == 1; }));
  const bool equal = s.acc == c.plain();  // two long vectors say nothing in a log
  CHECK(equal);
  return s;
}

}  // namespace

TEST_CASE("every instruction set this processor runs computes the plain loop's sums", "[kernels]") {
  const auto targets = supported_targets();
#if defined(__x86_64__)
  REQUIRE(targets.size() >= 2);  // the best one and the fallback; where NEON is, it is on every processor
#endif
  REQUIRE(!targets.empty());
  for (const auto& target : targets) {
    const Limit limit(target);
    REQUIRE(kernel_target().name == target);
    Random random{2026};
    std::set<std::string> ran;
    for (int i = 0; i < 250; ++i) ran.insert(check(filled(random_case(random), random)).kernel);
    // A kernel that never ran was not tested.
    const auto reached = [&](const std::string& kernel) {
      INFO(target << " never ran " << kernel);
      CHECK(ran.count(kernel) == 1);
    };
    reached("int16@" + target);
    reached("rows@" + target);
    reached("depthwise@" + target);
    reached("plain");
    if (kernel_target().bytes) reached("vnni512");
  }
}

TEST_CASE("sums at and beyond what int32 holds are exact", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random random{7};
    bool narrow = false, wide = false;
    const auto one = [&](std::int64_t rows, std::int64_t k, DType x, DType w, std::int64_t xz, std::int64_t wz, std::array<std::int64_t, 3> kernel) {
      KernelCase c;
      c.name = target;
      c.g = window(rows, 1, k, 5, kernel, kernel, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, false);
      c.x_dtype = x, c.w_dtype = w, c.x_zero_point = xz, c.w_zero_point = {wz}, c.extreme = true;
      c = filled(c, random);
      for (auto& v : c.w) v = static_cast<std::int32_t>(info(w).max);
      for (std::size_t i = 0; i < c.w.size(); ++i) store(c.w_stored, w, static_cast<std::int64_t>(i), info(w).max);
      for (auto& v : c.x) v = static_cast<std::int32_t>(info(x).max);
      for (std::size_t i = 0; i < c.x.size(); ++i) store(c.x_stored, x, static_cast<std::int64_t>(i), info(x).max);
      const auto s = check(c);
      (s.wide ? wide : narrow) = true;
    };
    for (const std::int64_t rows : {1, 3, 20}) {
      one(rows, 33024, DType::uint8, DType::uint8, 0, 0, {1, 1, 1});
      one(rows, 33026, DType::uint8, DType::uint8, 0, 0, {1, 1, 1});
      one(rows, 70000, DType::uint8, DType::int8, 0, 0, {1, 1, 1});
      one(rows, 140000, DType::int8, DType::uint8, -128, 3, {1, 1, 1});
      one(rows, 300, DType::int16, DType::int16, 0, 0, {1, 1, 1});
      one(rows, 300, DType::int16, DType::int8, 0, 0, {1, 1, 1});
      one(rows, 9000, DType::uint8, DType::uint8, 0, 0, {1, 3, 3});
    }
    CHECK(narrow);
    CHECK(wide);
  }
}

TEST_CASE("long rows, ragged tails and single rows of a matrix product", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random random{11};
    for (const std::int64_t rows : {1, 2, 4, 7, 8, 9, 61})
      for (const std::int64_t k : {1, 3, 4, 63, 64, 65, 130, 257})
        for (const std::int64_t columns : {1, 15, 17, 64, 100}) {
          KernelCase c;
          c.g = window(rows, 1, k, columns, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, false);
          c.x_zero_point = 77;
          c.x_dtype = rows % 2 ? DType::uint8 : DType::int8;
          c.w_dtype = columns % 2 ? DType::uint8 : DType::int8;
          if (k % 2) c.w_zero_point = {5};
          check(filled(c, random));
        }
  }
}

TEST_CASE("weights of any number of taps reach the kernel's order, rows turned in registers or not", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random r{31};
    for (std::int64_t kh = 1; kh <= 5; ++kh)
      for (std::int64_t kw = 1; kw <= 5; ++kw) {
        KernelCase c;
        c.name = "taps";
        c.g = window(1, r.below(4) ? 1 : 2, 16 * r.between(1, 4) + (r.below(4) ? 0 : r.between(1, 15)), r.below(2) ? 64 : r.between(1, 70), {1, kh + r.between(0, 2), kw + r.between(0, 3)}, {1, kh, kw}, {1, 1, 1}, {1, 1, 1}, {0, r.between(0, kh - 1), r.between(0, kw - 1)}, false);
        c.x_zero_point = r.between(0, 255);
        if (r.below(5) == 0) c.w_zero_point = {r.between(-3, 3)};
        c.channels_last = c.out_channels_last = r.below(2);
        c.w_channels_last = r.below(3) == 0;
        check(filled(c, r));
      }
  }
}

TEST_CASE("rows of wide images are laid out one by one, narrower ones together", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random r{53};
    for (const std::int64_t width : {127, 128, 150})
      for (const std::int64_t channels : {1, 3, 4, 18})
        for (const DType x : {DType::uint8, DType::int8, DType::int16})
          for (const bool last : {false, true}) {
            KernelCase c;
            c.name = "wide";
            c.g = window(2, r.below(2) ? 1 : 2, channels, r.below(2) ? 32 : 5, {1, 3, width}, {1, 2, 3}, {1, 1, 1}, {1, 1, 1}, {0, 1, r.between(0, 1)}, false);
            c.x_dtype = x;
            c.x_zero_point = r.between(info(x).min, info(x).max);
            c.channels_last = last;
            c.out_channels_last = r.below(2);
            check(filled(c, r));
          }
  }
}

TEST_CASE("taps that read padding are left out of the sums of the positions beside it", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random r{47};
    for (const std::int64_t size : {3, 7, 14, 30, 40})
      for (const std::int64_t kernel : {2, 3, 5, 7})
        for (const std::int64_t stride : {1, 2}) {
          KernelCase c;
          c.name = "padding";
          const std::int64_t dilation = size > 7 && r.below(3) == 0 ? 2 : 1, padding = r.between(1, kernel - 1) * dilation;
          c.g = window(1, r.below(4) ? 1 : 2, 4 * r.between(1, 6) + (r.below(3) ? 0 : r.between(1, 3)), r.below(2) ? 64 : r.between(1, 70), {1, size, r.below(2) ? size : r.between(3, 40)}, {1, kernel, r.below(2) ? kernel : 1}, {1, stride, stride},
                       {1, dilation, 1}, {0, padding, 0}, false);
          if (c.g.kernel[2] > 1) c.g.begin[2] = 1, c.g.out[2] = (c.g.in[2] + 1 - c.g.kernel[2]) / stride + 1;
          if (c.g.out[1] < 1 || c.g.out[2] < 1) continue;
          c.x_dtype = r.below(4) == 0 ? DType::int8 : r.below(6) == 0 ? DType::int16 : DType::uint8;
          c.x_zero_point = r.below(3) ? r.between(info(c.x_dtype).min, info(c.x_dtype).max) : 0;
          if (r.below(3) == 0) c.w_zero_point = {r.between(-3, 3)};
          c.channels_last = r.below(2);
          c.out_channels_last = r.below(2);
          check(filled(c, r));
        }
  }
}

TEST_CASE("depthwise windows of any stride and dilation, stored channels last", "[kernels]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random r{77};
    std::set<std::string> ran;
    for (int i = 0; i < 120; ++i) {
      const auto kernel = [&] { return r.below(2) ? 3 : r.between(1, 9); };
      const std::int64_t kh = kernel(), kw = kernel(), dh = r.below(3) ? 1 : r.between(1, 3), dw = r.below(3) ? 1 : r.between(1, 3);
      KernelCase c;
      c.name = "depthwise";
      c.g = window(r.between(1, 2), r.between(16, 70), 1, 1, {1, (kh - 1) * dh + r.between(1, 9), (kw - 1) * dw + r.between(1, 21)}, {1, kh, kw}, {1, r.between(1, 3), r.between(1, 3)}, {1, dh, dw}, {0, r.between(0, 3), r.between(0, 3)}, false);
      c.x_dtype = r.below(2) ? DType::uint8 : DType::int8;
      c.w_dtype = r.below(3) ? DType::int8 : DType::uint8;
      c.w_zero_point = {r.below(6) == 0 ? 5 : c.w_dtype == DType::int8 ? 0 : 128};
      c.x_zero_point = r.between(info(c.x_dtype).min, info(c.x_dtype).max);
      c.extreme = r.below(8) == 0;
      c.channels_last = c.out_channels_last = r.below(8) != 0;
      c.w_channels_last = r.below(2);
      ran.insert(check(filled(c, r)).kernel);
    }
    CHECK(ran.count("depthwise@" + target) == 1);
    if (kernel_target().bytes) CHECK(ran.count("quads@" + target) == 1);
  }
}
