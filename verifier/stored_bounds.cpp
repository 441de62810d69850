// stored_bounds.cpp: see stored_bounds.hpp.
#include "verifier/stored_bounds.hpp"

#include <algorithm>
#include <cstdlib>

#include "lib/kernels/signed_sums.hpp"
#include "lib/rules/worst_case.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {
namespace {

/// Whether some output position has all its taps inside the input.
bool all_inside(const Geometry& g) {
  for (int axis = 0; axis < 3; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    bool any = false;
    for (std::int64_t o = 0; o < g.out[a] && !any; ++o) any = taps_inside(g, axis, o) == g.kernel[a];
    if (!any) return false;
  }
  return true;
}

/// What bounds an accumulator of activations in their whole range, x - zero point in [low, high]; none where 0 does not lie between.
struct Reach {
  std::int64_t low, high;
};
std::optional<Reach> reach_of(const Tensor& x, const Geometry& g, std::int64_t x_zero_point) {
  const Reach r{x.q.qmin - x_zero_point, x.q.qmax - x_zero_point};
  if (g.transposed || g.batch == 0 || r.low > 0 || r.high < 0) return std::nullopt;
  return r;
}

/// Of all channels, from what is positive and what is negative in their weights (zero points off), and their integer biases. A term less is
/// never wider: positions at the border need no look.
template <class Sums>
AccumulatorBounds bounds_of(Reach r, std::int64_t channels, const std::vector<std::int64_t>& bias, Sums sums) {
  AccumulatorBounds all{0, 0};
  for (std::int64_t o = 0; o < channels; ++o) {
    const SignedSums w = sums(o);
    const std::int64_t b = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
    const std::int64_t min = r.low * w.positive + r.high * w.negative + b, max = r.high * w.positive + r.low * w.negative + b;
    all = o == 0 ? AccumulatorBounds{min, max} : AccumulatorBounds{std::min(all.min, min), std::max(all.max, max)};
  }
  return all;
}

constexpr std::int64_t few = 32;  // weights that are sooner added up here than asked of signed_sums()

/// signed_sums() of n weights that lie `step` apart.
SignedSums strided_sums(const std::byte* w, std::int64_t n, std::int64_t step, bool is_signed, std::int64_t zero_point) {
  std::int64_t sum = 0, size = 0;
  for (std::int64_t i = 0; i < n; ++i, w += step) {
    const std::int64_t v = StoredPlan::integer_of(*w, is_signed) - zero_point;
    sum += v, size += std::abs(v);
  }
  return {(size + sum) / 2, (sum - size) / 2};
}

/// The sums of a channel's weights at every position's taps, where no position reads them all: the largest of each sign, one position's each.
class InsideTaps {
 public:
  explicit InsideTaps(const Geometry& g) : C_(g.in_channels), T_(g.taps()) {
    const auto source = sources(g);
    std::vector<bool> read(static_cast<std::size_t>(T_));
    for (const auto p : kinds_of_positions(g, source)) {
      kinds_.emplace_back();
      for (std::int64_t t = 0; t < T_; ++t)
        if (source[static_cast<std::size_t>(p * T_ + t)] >= 0) kinds_.back().push_back(t), read[static_cast<std::size_t>(t)] = true;
    }
    for (std::int64_t t = 0; t < T_; ++t)
      if (read[static_cast<std::size_t>(t)]) taps_.push_back(t);
    each_.resize(static_cast<std::size_t>(T_));
  }

  /// f(sums) for every kind of position. w: [C, taps], or [taps, C].
  template <class F>
  void for_each_kind(DType type, const std::byte* w, bool taps_first, std::int64_t zero_point, F f) {
    const bool is_signed = info(type).min < 0;
    for (const auto t : taps_) {
      each_[static_cast<std::size_t>(t)] = strided_sums(w + (taps_first ? t * C_ : t), C_, taps_first ? 1 : T_, is_signed, zero_point);
    }
    for (const auto& kind : kinds_) {
      SignedSums sums;
      for (const auto t : kind) sums.positive += each_[static_cast<std::size_t>(t)].positive, sums.negative += each_[static_cast<std::size_t>(t)].negative;
      f(sums);
    }
  }

 private:
  std::int64_t C_, T_;
  std::vector<std::vector<std::int64_t>> kinds_;   // taps inside the input, of every kind of position
  std::vector<std::int64_t> taps_;                 // those that some position reads
  std::vector<SignedSums> each_;
};

}  // namespace

std::optional<AccumulatorBounds> stored_bounds(const StoredLayer& stored, const Cell& cell) {
  const Layer& layer = stored.layer;
  if (cell.rule != "accumulate" || !reads_bytes(layer)) return std::nullopt;
  const Geometry g = *accumulation_geometry(layer);
  const std::int64_t channels = g.groups * g.out_channels;
  return stored_bounds(stored, integer_biases(cell.stages, requantize_context(layer, cell, numbers_of(layer, g), channels), channels, layer.place));
}

std::optional<AccumulatorBounds> stored_bounds(const StoredLayer& stored, const std::vector<std::int64_t>& bias) {
  const Layer& layer = stored.layer;
  const Tensor &x = layer.in("x"), &weight = layer.in("weight");
  const Geometry g = *accumulation_geometry(layer);
  const AccumulationInput in = numbers_of(layer, g);
  const std::int64_t channels = g.groups * g.out_channels, terms = g.terms();
  const bool rows = !g.transposed && (weight.data || weight.stored_axes[0] == 0);  // one channel's weights lie together
  const auto reach = reach_of(x, g, in.x_zero_point);
  if (!rows || !reach) return std::nullopt;
  const std::byte* bytes = weight.data ? weight.data : stored.inputs.at("weight");
  const auto zero_point = [&](std::int64_t o) { return in.w_zero_point[in.w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(o)]; };
  const auto all_terms = [&](std::int64_t o) {
    const std::byte* w = bytes + o * terms;
    return terms < few ? strided_sums(w, terms, 1, info(weight.dtype).min < 0, zero_point(o)) : signed_sums(weight.dtype, w, terms, static_cast<std::int32_t>(zero_point(o)));
  };
  if (all_inside(g)) return bounds_of(*reach, channels, bias, all_terms);
  if (!weight.data && !channels_last(weight)) return std::nullopt;
  InsideTaps inside(g);
  std::optional<AccumulatorBounds> all;
  for (std::int64_t o = 0; o < channels; ++o)
    inside.for_each_kind(weight.dtype, bytes + o * terms, !weight.data, zero_point(o), [&](const SignedSums& w) {
      const std::int64_t b = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)], min = reach->low * w.positive + reach->high * w.negative + b, max = reach->high * w.positive + reach->low * w.negative + b;
      all = all ? AccumulatorBounds{std::min(all->min, min), std::max(all->max, max)} : AccumulatorBounds{min, max};
    });
  return all;
}

std::optional<AccumulatorBounds> packed_bounds(const Tensor& x, const StreamRequest& request, const StreamNotes& notes, const std::vector<std::int64_t>& bias) {
  const Geometry& g = request.geometry;
  const auto reach = reach_of(x, g, request.operands.x_zero_point);
  if (!reach || notes.w_sum.empty() || !all_inside(g)) return std::nullopt;
  return bounds_of(*reach, g.groups * g.out_channels, bias, [&](std::int64_t o) {
    const std::int64_t sum = notes.w_sum[static_cast<std::size_t>(o)], size = notes.w_size[static_cast<std::size_t>(o)];
    return SignedSums{(size + sum) / 2, (sum - size) / 2};
  });
}

}  // namespace lastbit
