// terms_test.cpp: on every instruction set that this processor runs, what blocks say of their terms against the terms themselves.
#include <catch2/catch.hpp>
#include <cmath>

#include "lib/kernels/float_tile.hpp"
#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("partial sums stay within what blocks say of them, and float32 sums of a block's rows are those of one sum after the other", "[kernels][float]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    INFO(target);
    Random random(5);
    int with_peaks = 0, rows = 0, outside = 0, tails = 0;
    double tightest = 0;
    for (int round = 0; round < 120; ++round) {
      KernelCase c = random_case(random);
      if (round % 3 == 0) c.g = window(random.between(1, 20), 1, 4 * random.between(20, 160), random.between(1, 30), {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, false);
      c.x_dtype = random.below(2) ? DType::uint8 : DType::int8, c.w_dtype = DType::int8;
      c.x_zero_point = random.below(2) ? info(c.x_dtype).min : random.between(info(c.x_dtype).min, info(c.x_dtype).max);
      c.w_zero_point = {0};
      c = filled(c, random);
      const Geometry& g = c.g;
      const std::int64_t O = g.groups * g.out_channels, P = g.positions();
      const auto source = sources(g);
      StreamRequest request = c.request();
      request.terms = true;
      request.channels_last = c.out_channels_last || P == 1;  // of one position: runs go along the channels
      const float x_scale = 0.0213f, w_scale = 0.0037f;
      stream_sums(request, [&](const SumBlock& b) {
        if (!b.terms) return;
        for (std::int64_t r = 0; r < b.runs; ++r)
          for (std::int64_t i = 0; i < b.length; ++i) {
            const std::int64_t at = b.first + r * b.step + i, n = at / (O * P), o = request.channels_last ? at % O : at / P % O, p = request.channels_last ? at / O % P : at % P;
            const auto terms = terms_of(c, source, n, o, p);
            std::int64_t sum = 0, x_squares = 0, w_squares = 0;
            double partial = 0;
            float single = 0;
            for (const auto& [x, w] : terms) {
              sum += x * w, x_squares += x * x, w_squares += w * w, partial += std::fabs(static_cast<double>(sum));
              const float product = (static_cast<float>(x) * x_scale) * (static_cast<float>(w) * w_scale);
              single = single + product;
            }
            const double w_norm = b.terms->w_norm[request.channels_last ? i : r], K = static_cast<double>(g.terms());
            const auto acc = b.acc[r * b.acc_step + i];
            REQUIRE(acc == sum);
            REQUIRE(b.terms->x_norm * 1.000001 >= std::sqrt(static_cast<double>(x_squares)));
            REQUIRE(w_norm * 1.000001 >= std::sqrt(static_cast<double>(w_squares)));
            const double size = b.terms->x_norm * w_norm, most = b.peak ? K * b.peak[r * b.acc_step + i] + 0.5 * static_cast<double>(b.terms->between) * size : K * size;
            REQUIRE(partial <= most * 1.000001);
            if (b.peak && most > 0) tightest = std::max(tightest, partial / most);
            outside += static_cast<std::int64_t>(terms.size()) < g.terms();
            const FloatRow row{b.terms->x + b.terms->pixels[request.channels_last ? r : i], b.terms->w + (request.channels_last ? i : r) * b.terms->w_stride, w_scale};
            float made = 0;
            float_row_sums(&row, 1, b.terms->segments, b.terms->segment_count, b.terms->x_zero_point, x_scale, &made);
            REQUIRE(made == single);
          }
        with_peaks += b.peak != nullptr;
        rows += g.taps() == 1 && g.batch <= 8 && P == 1;
        tails += g.terms() % 16 != 0;
      });
    }
    if (!kernel_target().bytes) continue;  // kernels of words say nothing
    CHECK(with_peaks > 10);
    CHECK(rows > 10);
    CHECK(outside > 100);
    CHECK(tails > 10);
    CHECK(tightest > 0.1);
  }
}

TEST_CASE("sixteen rows at once are as many rows one by one", "[kernels][float]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    Random random(3);
    std::vector<std::byte> x(4000), w(16 * 512);
    for (auto& b : x) b = static_cast<std::byte>(random.below(256));
    for (auto& b : w) b = static_cast<std::byte>(random.below(256));
    const TermSegment segments[] = {{0, 5}, {40, 32}, {200, 3}, {300, 16}};
    for (std::int64_t count = 1; count <= float_rows; ++count) {
      std::vector<FloatRow> rows;
      for (std::int64_t i = 0; i < count; ++i) rows.push_back({x.data() + random.between(0, 3000), w.data() + 512 * i, static_cast<float>(random.between(1, 900)) * 1e-4f});
      std::vector<float> together(static_cast<std::size_t>(count));
      float_row_sums(rows.data(), count, segments, 4, 77, 0.031f, together.data());
      for (std::int64_t i = 0; i < count; ++i) {
        float alone = 0;
        const FloatRow& row = rows[static_cast<std::size_t>(i)];
        const std::byte* weight = row.w;
        for (const auto& s : segments)
          for (std::int64_t k = 0; k < 4 * s.dwords; ++k, ++weight) {
            const float product = (static_cast<float>(std::to_integer<int>(row.x[s.offset + k]) - 77) * 0.031f) * (static_cast<float>(static_cast<std::int8_t>(*weight)) * row.w_scale);
            alone = alone + product;
          }
        CHECK(together[static_cast<std::size_t>(i)] == alone);
      }
    }
  }
}
