// epilogue_test.cpp: vectors against the scalar stages, around every tie and clamp, on every instruction set.
#include <catch2/catch.hpp>

#include "lib/kernels/epilogue.hpp"
#include "lib/kernels/target.hpp"
#include "tests/support.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

struct Stages {
  std::string name;
  std::vector<std::string> stages;
};

const std::vector<Stages>& pipelines() {
  static const std::vector<Stages> all = [] {
    std::vector<Stages> s{
        {"float", {"float", "multiply f32(si) * f32(sw) / f32(so)", "round half_even int_min", "zero_point", "clamp"}},
        {"float, integer bias", {"bias bias", "float", "multiply f32(si) * f32(sw) / f32(so)", "round half_even int_min", "zero_point", "clamp"}},
        {"float, range", {"bias bias", "float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"}},
        {"float, float bias", {"float", "add f32(bias)", "multiply f32(si) * f32(sw) / f32(so)", "round half_even int_min", "zero_point", "saturate16", "clamp"}},
    };
    for (const std::string rule : {"double_away", "double_up", "single", "floor_up", "double_away_saturating", "rndnu", "q8", "double_up/8/double_away", "double_up/3/floor_up"}) {
      const bool single = rule == "rndnu" || rule == "q8";
      s.push_back({rule, {"bias bias", "fixed " + rule + (single ? " f32(si * sw / so)" : " si * sw / so"), "zero_point", "clamp"}});
    }
    return s;
  }();
  return all;
}

RequantizeContext context(Random& r, std::int64_t channels, bool is_signed, bool powers, int size) {
  RequantizeContext c;
  c.min = is_signed ? -128 : 0, c.max = is_signed ? 127 : 255;
  if (r.below(3) == 0) c.min += 20, c.max -= 31;  // a fused activation
  c.has_bias = true;
  c.lanes = channels;
  const double zo = static_cast<double>(r.between(is_signed ? -128 : 0, is_signed ? 127 : 255));
  for (std::int64_t o = 0; o < channels; ++o) {
    const double m = std::ldexp(powers ? 1.0 : 0.5 + static_cast<double>(r.below(1u << 30)) * 0x1p-31, -size - static_cast<int>(r.below(3)));
    const auto bias = static_cast<double>(r.below(5) ? r.between(-3000, 3000) : r.below(2) ? 2147483000 : -2147483000);
    c.channels.push_back({{"si", 1.0}, {"sw", m}, {"sb", 1.0}, {"so", 1.0}, {"zi", 0.0}, {"zo", zo}, {"bias", bias}, {"alpha", 1.0}});
  }
  return c;
}

/// Sums near where the result turns, near the ends of the range, and anywhere.
std::int32_t sum(Random& r, double multiplier) {
  switch (r.below(6)) {
    case 0: return static_cast<std::int32_t>(r.next());
    case 1: return r.below(2) ? std::numeric_limits<std::int32_t>::max() - static_cast<std::int32_t>(r.below(3)) : std::numeric_limits<std::int32_t>::min() + static_cast<std::int32_t>(r.below(3));
    case 2: return static_cast<std::int32_t>(r.between(-40, 40));
    default: {
      const double turn = (static_cast<double>(r.between(-300, 300)) + 0.5) / multiplier;
      return static_cast<std::int32_t>(std::clamp(turn, -2147483000.0, 2147483000.0)) + static_cast<std::int32_t>(r.between(-2, 2));
    }
  }
}

}  // namespace

TEST_CASE("vector epilogues are the scalar stages, to the byte and to the event", "[kernels][epilogue]") {
  for (const auto& target : supported_targets()) {
    REQUIRE(limit_target(target));
    Random random{99};
    EpilogueResult all;  // a suite that never met a tie or a wrap has proved nothing
    std::int64_t taken = 0, differing = 0, in_rows = 0, turned = 0;
    for (const auto& pipeline : pipelines())
      for (int round = 0; round < 24; ++round) {
        const bool is_signed = random.below(2), channels_last = random.below(2);
        const std::int64_t channels = random.below(4) == 0 ? 1 : random.below(6) == 0 ? 32 : random.between(2, random.below(3) ? 40 : 150), positions = random.between(1, random.below(4) ? 45 : 150), batch = 2;
        const int size = round % 6 == 0 ? 0 : round % 6 == 1 ? -3 : static_cast<int>(random.between(3, 24));
        const auto c = context(random, channels, is_signed, random.below(2) != 0, size);
        const Requantizer requantize(pipeline.stages, c, "test");
        const auto e = epilogue_of(requantize, is_signed ? DType::int8 : DType::uint8);
        INFO(target << ": " << pipeline.name << ", channels " << channels << ", positions " << positions << ", last " << channels_last << ", size " << size);
        if (!e) continue;
        ++taken;
        const std::int64_t n = batch * channels * positions, length = channels_last ? channels : positions;
        std::vector<std::int32_t> acc(static_cast<std::size_t>(n));
        std::vector<std::byte> expected(acc.size()), observed, stored(acc.size());
        EpilogueResult want;
        const auto channel_of = [&](std::int64_t i) { return channels_last ? i % channels : i / positions % channels; };
        std::int64_t low = INT64_MAX, high = INT64_MIN;
        for (std::int64_t i = 0; i < n; ++i) {
          const auto at = static_cast<std::size_t>(i);
          acc[at] = sum(random, c.channels[static_cast<std::size_t>(channel_of(i))].at("sw"));
          Events events = 0;
          expected[at] = static_cast<std::byte>(requantize(acc[at], channel_of(i), events) & 0xFF);
          const auto v = requantize.with_bias(acc[at], channel_of(i));
          low = std::min(low, v), high = std::max(high, v);
          want.tie += (events & event::tie) != 0, want.clamped += (events & event::clamped) != 0, want.saturated += (events & event::saturated) != 0;
          want.wrapped += (events & event::wrapped) != 0, want.inexact_float += (events & event::inexact_float) != 0;
        }
        observed = expected;
        std::vector<std::int64_t> planted;
        for (std::int64_t i = 0; i < n; ++i)
          if (random.below(19) == 0) observed[static_cast<std::size_t>(i)] ^= std::byte{1}, planted.push_back(i);
        // The same sums position by position, in rows of whole vectors.
        const std::int64_t row = (channels + 15) / 16 * 16;
        std::vector<std::int32_t> rows(static_cast<std::size_t>(batch * positions * row));
        if (!channels_last)
          for (std::int64_t i = 0; i < n; ++i) rows[static_cast<std::size_t>((i / (channels * positions) * positions + i % positions) * row + i / positions % channels)] = acc[static_cast<std::size_t>(i)];
        struct Way {
          bool events, stores, by_position;
        };
        for (const auto [events, stores, by_position] : {Way{false, true, false}, Way{true, true, false}, Way{false, false, false}, Way{true, false, false}, Way{false, true, true}, Way{true, false, true}, Way{false, false, true}}) {
          if (by_position && channels_last) continue;
          EpilogueResult r;
          std::fill(stored.begin(), stored.end(), std::byte{0});
          const OutputOrder order{channels, positions, channels_last};
          if (!by_position) {
            SumBlock block{0, n / length, length, length, length, acc.data(), nullptr};
            run_epilogue(*e, block, order, {observed.data(), stores ? stored.data() : nullptr, events}, r);
          } else {
            for (std::int64_t image = 0; image < batch; ++image) {
              SumBlock block{image * channels * positions, channels, positions, positions, positions};
              block.by_position = rows.data() + image * positions * row;
              block.by_position_step = row;
              run_epilogue(*e, block, order, {observed.data(), stores ? stored.data() + block.first : nullptr, events}, r);
              in_rows += block.acc == nullptr, turned += block.acc != nullptr;
            }
          }
          const bool bytes = !stores || stored == expected, places = r.differ == planted;
          CHECK(bytes);
          CHECK(places);
          CHECK(r.elements == n);
          CHECK(r.acc_min == low);
          CHECK(r.acc_max == high);
          if (!events) continue;
          CHECK(r.tie == want.tie);
          CHECK(r.clamped == want.clamped);
          CHECK(r.saturated == want.saturated);
          CHECK(r.wrapped == want.wrapped);
          CHECK(r.inexact_float == want.inexact_float);
          all.tie += r.tie, all.clamped += r.clamped, all.saturated += r.saturated, all.wrapped += r.wrapped, all.inexact_float += r.inexact_float;
          differing += static_cast<std::int64_t>(r.differ.size());
        }
      }
    INFO(target);
    CHECK(taken > 100);
    CHECK(differing > 0);
    CHECK((in_rows > 0) == target.starts_with("avx3"));
    CHECK(turned > 0);
    CHECK((all.tie > 0 && all.clamped > 0 && all.saturated > 0 && all.wrapped > 0 && all.inexact_float > 0));
    limit_target("");
  }
}
