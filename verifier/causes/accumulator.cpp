// accumulator: the sum is kept in a narrower register, which wraps or saturates: at the end, or after every term.
//
// The final sum is tried with the bias in it where the bias is an integer, and without; a float bias is never in it. A wrap of
// every partial sum is a wrap of the final one; saturation depends on the order of the terms: taps ascending with the channel
// fastest (NHWC), or channels ascending with the tap fastest (NCHW); in a transposed convolution the taps may run backwards.
#include <algorithm>
#include <unordered_map>

#include "lib/kernels/saturating_sums.hpp"
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

/// Sums of partly saturated terms, by order and width: of the elements that were asked for first, every width is tried on the same.
class PartialSums {
 public:
  PartialSums(const Case& c, std::vector<Order> tried, int largest) : case_(c), tried_(std::move(tried)), halves_(largest < narrowest + widths_at_once ? 1 : 2), fit_(c.terms_fit()) {}

  std::int64_t operator()(std::int64_t element, std::size_t order, int bits) {
    constexpr std::size_t most_kept = 16384;
    if (!fit_) return one_by_one(element, tried_[order], bits);
    auto known = kept_.find(element);
    if (known == kept_.end()) {
      if (kept_.size() >= most_kept) kept_.clear();
      known = kept_.emplace(element, sums_of(element)).first;
    }
    const auto at = static_cast<std::size_t>(bits - narrowest), width = static_cast<std::size_t>(widths_at_once);
    return known->second[order * halves_ + at / width][at % width];
  }

 private:
  /// By order, 16 widths after the other.
  std::vector<WidthSums> sums_of(std::int64_t element) {
    case_.terms(element, terms_);
    const auto n = static_cast<std::int64_t>(terms_.size());
    std::vector<WidthSums> all(tried_.size() * halves_);
    for (std::size_t k = 0; k < tried_.size(); k += 2)
      for (std::size_t half = 0; half < halves_; ++half) {
        const int from = narrowest + static_cast<int>(half) * widths_at_once;
        const std::int32_t* first = in_order(tried_[k], first_);
        if (k + 1 == tried_.size()) {
          all[k * halves_ + half] = saturating_sums(first, n, from);
        } else {
          const auto two = saturating_sums(first, in_order(tried_[k + 1], second_), n, from);
          all[k * halves_ + half] = two[0], all[(k + 1) * halves_ + half] = two[1];
        }
      }
    return all;
  }
  const std::int32_t* in_order(const Order& order, std::vector<std::int32_t>& to) const {
    if (!order.by_channel && !order.backwards) return terms_.data();
    to.clear();
    each(order, [&](std::size_t at) { to.push_back(terms_[at]); });
    return to.data();
  }
  std::int64_t one_by_one(std::int64_t element, const Order& order, int bits) {
    const std::int64_t high = (std::int64_t{1} << (bits - 1)) - 1, low = -high - 1;
    wide_.clear();
    case_.products(element, [&](auto, auto, std::int64_t x, std::int64_t w, bool) { wide_.push_back(x * w); });
    std::int64_t sum = 0;
    each(order, [&](std::size_t at) { sum = std::clamp(sum + wide_[at], low, high); });  // far from int64's ends
    return sum;
  }
  template <class F>
  void each(const Order& order, F f) const {
    const auto T = static_cast<std::size_t>(case_.geometry().taps()), C = static_cast<std::size_t>(case_.geometry().in_channels);
    const auto tap = [&](std::size_t t) { return order.backwards ? T - 1 - t : t; };
    if (order.by_channel)
      for (std::size_t c = 0; c < C; ++c)
        for (std::size_t t = 0; t < T; ++t) f(tap(t) * C + c);
    else
      for (std::size_t t = 0; t < T; ++t)
        for (std::size_t c = 0; c < C; ++c) f(tap(t) * C + c);
  }

  const Case& case_;
  std::vector<Order> tried_;
  std::size_t halves_;
  bool fit_;
  std::unordered_map<std::int64_t, std::vector<WidthSums>> kept_;
  std::vector<std::int32_t> terms_, first_, second_;
  std::vector<std::int64_t> wide_;
};

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
  std::int64_t most = 0;
  if (sums_in_stages(c)) {
    for (const auto& port : weight_ports(c)) most = std::max(most, c.layer.in(port).dim(-1) * 255 * 255);
  } else if (staged(c) && !is_float(c.observed.dtype)) {  // a product, or a difference from the zero point
    most = 1;
    for (const auto& [port, t] : c.layer.inputs)
      if (!is_float(t.dtype) && info(t.dtype).bits <= 16) most *= std::int64_t{1} << info(t.dtype).bits;
  }
  for (int bits = narrowest; bits < std::min(widest, bits_of(most)); ++bits)
    for (const bool saturates : {false, true}) {
      const std::string model = std::to_string(bits) + (saturates ? "-saturate" : "-wrap");
      const auto held = [stage = "register " + model](const Stages& before) {
        Stages s = before;
        s.insert(s.begin(), stage);
        return s;
      };
      all.push_back(staged_suspect(c, "accumulator:" + model, "The accumulator has " + std::to_string(bits) + " bits and " + (saturates ? "saturates" : "wraps") + " when the sum (or product) is complete.", held));
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
  const int partial = partial_bits(c), largest = std::min(widest, std::max({alone, with_bias, partial}));
  const std::int64_t T = c.geometry().taps();
  std::vector<Order> tried;
  for (const Order& order : orders)  // others are the same order, or nobody's
    if (!(order.by_channel && (T == 1 || c.geometry().in_channels == 1)) && !(order.backwards && !c.geometry().transposed)) tried.push_back(order);
  const auto sums = std::make_shared<PartialSums>(c, tried, std::min(partial - 1, widest_at_once));
  for (int bits = narrowest; bits <= largest; ++bits)
    for (const bool saturates : {false, true}) {
      const std::string model = std::to_string(bits) + (saturates ? "-saturate" : "-wrap"), name = "accumulator:" + model;
      const std::string what = "The accumulator has " + std::to_string(bits) + " bits and " + (saturates ? "saturates" : "wraps");
      const auto held = [&](bool after_bias) { return std::vector<Held>{{bits, saturates, after_bias}}; };
      if (alone > bits) all.push_back(suspect(c, name, what + " when the sum is complete" + (integer_bias ? ", before the bias is added." : "."), {.held = held(false)}));
      if (integer_bias && with_bias > bits) all.push_back(suspect(c, name, what + " when the sum and the bias are complete.", {.held = held(true)}));
      if (!saturates || bits >= partial || bits >= 32) continue;
      for (std::size_t k = 0; k < tried.size(); ++k) {
        const std::string words = T == 1 ? "" : tried[k].words;
        const auto sum = [sums, bits, k](std::int64_t element) { return (*sums)(element, k, bits); };
        all.push_back(suspect(c, name + "-partial", what + " after every term" + words + ".", {.sum = sum}, 12));
        if (integer_bias) all.push_back(suspect(c, name + "-partial", what + " after every term" + words + ", and after the bias.", {.held = held(true), .sum = sum}, 13));
      }
    }
  return all;
}

}  // namespace

Cause accumulator() {
  return {"accumulator", "a narrower register under the sum, of any width from 8 bits", {"accumulator:<bits>-wrap", "accumulator:<bits>-saturate", "accumulator:<bits>-saturate-partial"}, suspects};
}

}  // namespace lastbit::causes
