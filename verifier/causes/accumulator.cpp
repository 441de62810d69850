// accumulator: the sum is kept in a narrower register, which wraps or saturates: at the end, or after every term.
//
// The final sum is tried with the bias in it where the bias is an integer, and without; a float bias is never in it. A wrap of
// every partial sum is a wrap of the final one; saturation depends on the order of the terms: taps ascending with the channel
// fastest (NHWC), or channels ascending with the tap fastest (NCHW); in a transposed convolution the taps may run backwards.
#include <algorithm>
#include <unordered_map>

#include "lib/num/int.hpp"
#include "verifier/altered.hpp"
#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

constexpr int narrowest = 8, widest = 40;

/// Bits that the largest of these sums needs.
int bits_needed(const std::vector<std::int64_t>& sums) {
  std::int64_t low = 0, high = 0;
  for (const auto v : sums) low = std::min(low, v), high = std::max(high, v);
  return std::max(bits_of(low), bits_of(high));
}

struct Order {
  const char* words;
  bool by_channel, backwards;  // backwards: taps descending, as a transposed convolution scatters its inputs in ascending order
};
constexpr Order orders[] = {{", taps ascending, channels fastest", false, false}, {", channels ascending, taps fastest", true, false},
                            {", taps descending, channels fastest", false, true}, {", channels ascending, taps descending fastest", true, true}};

/// Products of the elements that were asked for first, taps ascending, channels fastest: every width is tried on the same few.
class Products {
 public:
  explicit Products(const Case& c) : case_(c) {}
  const std::vector<std::int64_t>& of(std::int64_t element) {
    constexpr std::size_t most_elements = 512, most_numbers = std::size_t{1} << 21;
    if (const auto known = kept_.find(element); known != kept_.end()) return known->second;
    const bool keep = kept_.size() < most_elements && kept_.size() * static_cast<std::size_t>(case_.geometry().terms()) < most_numbers;
    std::vector<std::int64_t>& terms = keep ? kept_[element] : last_;
    terms.clear();
    case_.products(element, [&](auto, auto, std::int64_t x, std::int64_t w, bool) { terms.push_back(x * w); });
    return terms;
  }

 private:
  const Case& case_;
  std::unordered_map<std::int64_t, std::vector<std::int64_t>> kept_;
  std::vector<std::int64_t> last_;
};

std::int64_t saturating_sum(const Geometry& g, const std::vector<std::int64_t>& terms, int bits, const Order& order) {
  const std::int64_t high = (std::int64_t{1} << (bits - 1)) - 1, low = -high - 1, T = g.taps(), C = g.in_channels;
  std::int64_t sum = 0;
  const auto add = [&](std::int64_t at) { sum = std::clamp(sum + terms[static_cast<std::size_t>(at)], low, high); };  // far from int64's ends
  if (!order.by_channel && !order.backwards) {
    for (std::int64_t k = 0; k < T * C; ++k) add(k);
  } else if (!order.by_channel) {
    for (std::int64_t t = T - 1; t >= 0; --t)
      for (std::int64_t c = 0; c < C; ++c) add(t * C + c);
  } else {
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t t = 0; t < T; ++t) add((order.backwards ? T - 1 - t : t) * C + c);
  }
  return sum;
}

/// Bits that the largest partial sum of a few differing elements needs, in either order.
int partial_bits(const Case& c) {
  std::vector<std::int64_t> extremes;
  for (std::size_t k = 0; k < std::min<std::size_t>(c.differing.size(), 8); ++k) {
    std::int64_t size = 0;
    c.products(c.differing[k * (c.differing.size() - 1) / std::max<std::size_t>(1, std::min<std::size_t>(c.differing.size(), 8) - 1)],
               [&](auto, auto, std::int64_t x, std::int64_t w, bool) { size += std::abs(x * w); });
    extremes.push_back(size);
  }
  return bits_needed(extremes);
}

bool is_bias(const std::string& stage) { return stage.rfind("bias ", 0) == 0 || stage.rfind("bias64 ", 0) == 0; }

/// A float matrix product: its sums as an integer kernel would have them.
std::vector<Suspect> of_float_sums(const Case& c) {
  std::vector<Suspect> all;
  const auto sums = std::make_shared<const FloatSums>(c);
  for (int bits = narrowest; bits < std::min(widest, bits_needed(sums->sums())); ++bits)
    for (const bool saturates : {false, true})
      all.push_back(float_sums_suspect(sums, "accumulator:" + std::to_string(bits) + (saturates ? "-saturate" : "-wrap"),
                                       "The sum is held in an accumulator of " + std::to_string(bits) + " bits that " + (saturates ? "saturates" : "wraps") + " when it is complete.",
                                       [sums, bits, saturates](std::int64_t i) {
                                         const std::int64_t v = sums->sums()[static_cast<std::size_t>(i)];
                                         return saturates ? saturate(v, bits) : wrap(v, bits);
                                       }));
  for (int bits = narrowest; bits < std::min(widest, bits_needed(sums->sums()) + 4); ++bits)
    all.push_back(float_sums_suspect(sums, "accumulator:" + std::to_string(bits) + "-saturate-partial", "The sum is held in an accumulator of " + std::to_string(bits) + " bits that saturates after every product.",
                                     [sums, bits](std::int64_t i) { return sums->saturating(i, bits); }));
  return all;
}

/// Sums inside a layer that is run anew: every one complete, before its stages.
std::vector<Suspect> of_runs(const Case& c) {
  std::vector<Suspect> all;
  if (!sums_in_stages(c)) return all;
  std::int64_t most = 0;
  for (const auto& port : weight_ports(c)) most = std::max(most, c.layer.in(port).dim(-1) * 255 * 255);
  for (int bits = narrowest; bits < std::min(widest, bits_of(most)); ++bits)
    for (const bool saturates : {false, true}) {
      const std::string model = std::to_string(bits) + (saturates ? "-saturate" : "-wrap");
      const auto held = [stage = "register " + model](const Stages& before) {
        Stages s = before;
        s.insert(s.begin(), stage);
        return s;
      };
      all.push_back(staged_suspect(c, "accumulator:" + model, "The accumulator has " + std::to_string(bits) + " bits and " + (saturates ? "saturates" : "wraps") + " when the sum is complete.", held));
    }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (FloatSums::applies(c)) return of_float_sums(c);
  if (!c.accumulates()) return of_runs(c);
  const bool integer_bias = c.layer.find("bias") && std::any_of(c.cell.stages.begin(), c.cell.stages.end(), is_bias);
  const int alone = bits_needed(c.accumulators());
  int with_bias = alone;
  if (integer_bias) {
    std::vector<std::int64_t> sums;
    const Requantizer requantize(c.cell.stages, c.context_of({}), c.layer.place);
    for (std::int64_t i = 0; i < c.size(); ++i) sums.push_back(requantize.with_bias(c.accumulators()[static_cast<std::size_t>(i)], c.channel_of(i)));
    with_bias = bits_needed(sums);
  }
  const auto products = std::make_shared<Products>(c);
  const int partial = partial_bits(c), largest = std::min(widest, std::max({alone, with_bias, partial}));
  for (int bits = narrowest; bits <= largest; ++bits)
    for (const bool saturates : {false, true}) {
      const std::string model = std::to_string(bits) + (saturates ? "-saturate" : "-wrap"), name = "accumulator:" + model;
      const std::string what = "The accumulator has " + std::to_string(bits) + " bits and " + (saturates ? "saturates" : "wraps");
      const auto held = [stage = "register " + model](bool after_bias) {
        return [stage, after_bias](const Stages& before) {
          Stages s = before;
          s.insert(after_bias ? std::find_if_not(s.begin(), s.end(), is_bias) : s.begin(), stage);
          return s;
        };
      };
      if (alone > bits) all.push_back(suspect(c, name, what + " when the sum is complete" + (integer_bias ? ", before the bias is added." : "."), {.edit = held(false)}));
      if (integer_bias && with_bias > bits) all.push_back(suspect(c, name, what + " when the sum and the bias are complete.", {.edit = held(true)}));
      if (!saturates || bits >= partial || bits >= 32) continue;
      const std::int64_t T = c.geometry().taps();
      for (const Order& order : orders) {
        if ((order.by_channel && (T == 1 || c.geometry().in_channels == 1)) || (order.backwards && !c.geometry().transposed)) continue;  // the same order, or nobody's
        const std::string words = T == 1 ? "" : order.words;
        const auto sum = [&c, products, bits, order](std::int64_t element) { return saturating_sum(c.geometry(), products->of(element), bits, order); };
        all.push_back(suspect(c, name + "-partial", what + " after every term" + words + ".", {.sum = sum}, 12));
        if (integer_bias) all.push_back(suspect(c, name + "-partial", what + " after every term" + words + ", and after the bias.", {.edit = held(true), .sum = sum}, 13));
      }
    }
  return all;
}

}  // namespace

Cause accumulator() {
  return {"accumulator", "a narrower register under the sum, of any width from 8 bits", {"accumulator:<bits>-wrap", "accumulator:<bits>-saturate", "accumulator:<bits>-saturate-partial"}, suspects};
}

}  // namespace lastbit::causes
