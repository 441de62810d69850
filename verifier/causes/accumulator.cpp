// accumulator: the sum is kept in a narrower register, which wraps or saturates: at the end, or after every term.
#include <algorithm>

#include "lib/num/int.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

constexpr int widths[] = {16, 18, 20, 24, 32};

std::int64_t into(std::int64_t v, int bits, bool saturates) { return saturates ? saturate(v, bits) : wrap(v, bits); }

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) return all;
  std::int64_t low = 0, high = 0;
  for (const auto v : c.accumulators()) low = std::min(low, v), high = std::max(high, v);
  for (const int bits : widths)
    for (const bool saturates : {false, true}) {
      const std::string name = "accumulator:" + std::to_string(bits) + (saturates ? "-saturate" : "-wrap");
      const std::string what = "The accumulator has " + std::to_string(bits) + " bits and " + (saturates ? "saturates" : "wraps");
      if (bits_of(low) > bits || bits_of(high) > bits)
        all.push_back(suspect(c, name, what + " when the sum is complete.", {.accumulator = [bits, saturates](std::int64_t acc, std::int64_t) { return into(acc, bits, saturates); }}));
      if (saturates && bits < 32)  // a wrap of every partial sum is a wrap of the final one
        all.push_back(suspect(c, name + "-partial", what + " after every term.", {.sum = [&c, bits](std::int64_t element) {
                                const auto& in = c.input();
                                std::int64_t sum = 0;
                                for_each_product(c.geometry(), {in.x, in.w, in.x_zero_point, in.w_zero_point}, element,
                                                 [&](auto, auto, std::int64_t x, std::int64_t w, bool) { sum = saturate(sum + x * w, bits); });
                                return sum;
                              }}, 12));
    }
  return all;
}

}  // namespace

Cause accumulator() {
  std::vector<std::string> names;
  for (const int bits : widths)
    for (const char* how : {"-wrap", "-saturate", "-saturate-partial"}) names.push_back("accumulator:" + std::to_string(bits) + how);
  return {"accumulator", "a narrower register under the sum", names, suspects};
}

}  // namespace lastbit::causes
