// place.cpp: see place.hpp.
#include "golden/place.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "golden/matrix.hpp"
#include "lib/error.hpp"
#include "lib/num/float.hpp"

namespace lastbit {

Layer place(const Workshop& w, Layer layer, std::vector<WantedSum> targets, Random& random, std::int64_t& placed) {
  placed = 0;
  if (layer.op == "requantize") {
    Tensor& x = layer.inputs.at("x");
    const auto zx = x.q.integer_zero_point();
    auto q = x.i32();
    std::size_t at = 0;
    for (const auto& t : targets) {
      const std::int64_t code = t.acc + zx;
      if (at >= q.size() - q.size() / 4 && q.size() >= 8) break;  // the rest stays as drawn: not everything lies beside a boundary
      if (code < info(x.dtype).min || code > info(x.dtype).max) continue;
      q[at++] = static_cast<std::int32_t>(code), ++placed;
    }
    set_integers(x, q);
    return layer;
  }
  Solver solver(w, layer);
  const std::int64_t channels = solver.geometry().groups * solver.geometry().out_channels;
  std::vector<std::vector<std::int64_t>> left(static_cast<std::size_t>(channels));
  for (std::size_t i = targets.size(); i-- > 0;) left[static_cast<std::size_t>(targets[i].channel)].push_back(targets[i].acc);
  const std::int64_t samples = solver.geometry().batch, of_sample = solver.elements_of_sample(), positions = solver.geometry().positions();
  for (std::int64_t n = 0; n < samples; ++n) {
    // Channels in turn, each at a position of its own choice, as long as its window has inputs that nothing else has fixed.
    const std::int64_t first = n % channels;
    for (std::int64_t turn = 0; turn < channels * std::min<std::int64_t>(positions, 4); ++turn) {
      const std::int64_t channel = (first + turn) % channels;
      auto& mine = left[static_cast<std::size_t>(channel)];
      if (mine.empty()) continue;
      const std::int64_t element = n * of_sample + channel * positions + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(positions)));
      if (solver.taken(element)) continue;
      for (std::size_t tries = 0; tries < std::min<std::size_t>(3, mine.size()); ++tries) {
        const std::size_t at = mine.size() - 1 - tries;
        if (!solver.solve(element, mine[at], random)) continue;
        mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(at));
        ++placed;
        break;
      }
    }
  }
  return solver.layer();
}

std::pair<std::int64_t, std::int64_t> reach_of(const Workshop& w, const Layer& layer, std::int64_t channel) {
  constexpr std::int64_t far = std::int64_t{1} << 40;
  if (layer.op == "requantize") {
    const Tensor& x = layer.in("x");
    const auto& range = info(x.dtype);
    const std::int64_t wide = std::int64_t{1} << 30;
    return {std::max(range.min, -wide) - x.q.integer_zero_point(), std::min(range.max, wide) - x.q.integer_zero_point()};
  }
  const Solver solver(w, layer);
  // The position whose window lies inside the most: a look at each.
  std::pair<std::int64_t, std::int64_t> best{0, 0};
  const std::int64_t positions = solver.geometry().positions();
  for (std::int64_t p = 0; p < positions; ++p) {
    const auto [lo, hi] = solver.reach(channel * positions + p);
    best = {std::max(-far, std::min(best.first, lo)), std::min(far, std::max(best.second, hi))};
  }
  return best;
}

std::vector<WantedSum> around_boundaries(const Workshop& w, const Layer& layer, const Staged& staged, bool ties_only, Random& random, std::int64_t most, double* nearest) {
  std::vector<std::vector<Boundary>> of(static_cast<std::size_t>(staged.channels()));
  for (std::int64_t c = 0; c < staged.channels(); ++c) {
    const auto [lo, hi] = reach_of(w, layer, c);
    auto all = boundaries(staged, c, lo, hi);
    if (nearest)
      for (const auto& b : all) *nearest = std::min(*nearest, b.exact ? 0.0 : b.distance);
    if (ties_only && std::any_of(all.begin(), all.end(), [](const Boundary& b) { return b.exact; })) all.erase(std::remove_if(all.begin(), all.end(), [](const Boundary& b) { return !b.exact; }), all.end());
    else if (ties_only) std::sort(all.begin(), all.end(), [](const Boundary& a, const Boundary& b) { return a.distance != b.distance ? a.distance < b.distance : a.acc < b.acc; });
    if (!ties_only || (!all.empty() && all[0].exact)) {
      for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
      // Negative and positive, even and odd in turn, first of all.
      std::vector<Boundary> ordered;
      std::vector<char> used(all.size());
      for (int k = 0; k < 8; ++k)
        for (std::size_t i = 0; i < all.size(); ++i)
          if (!used[i] && (all[i].acc < 0) == (k % 2 == 0) && (all[i].code % 2 == 0) == (k / 2 % 2 == 0)) {
            ordered.push_back(all[i]), used[i] = 1;
            break;
          }
      for (std::size_t i = 0; i < all.size(); ++i)
        if (!used[i]) ordered.push_back(all[i]);
      all = std::move(ordered);
    }
    if (static_cast<std::int64_t>(all.size()) > most) all.resize(static_cast<std::size_t>(most));
    of[static_cast<std::size_t>(c)] = std::move(all);
  }
  std::vector<WantedSum> targets;
  for (std::size_t k = 0;; ++k) {
    bool any = false;
    for (std::size_t c = 0; c < of.size(); ++c)
      if (k < of[c].size()) {
        any = true;
        for (const std::int64_t by : {0, -1, 1}) targets.push_back({static_cast<std::int64_t>(c), of[c][k].acc + by});
      }
    if (!any) return targets;
  }
}

std::vector<WantedSum> around_clamps(const Workshop& w, const Layer& layer, const Staged& staged) {
  std::vector<WantedSum> targets;
  for (std::int64_t c = 0; c < staged.channels(); ++c) {
    const auto [lo, hi] = reach_of(w, layer, c);
    const auto clamped = [&](std::int64_t acc) {
      Events e = 0;
      staged.output(acc, c, e);
      return (e & event::clamped) != 0;
    };
    std::vector<std::int64_t> wanted;
    // The range's middle is not clamped; from there outwards the first that is.
    const std::int64_t middle = staged.first_above(staged.min(), c, lo, hi);
    if (middle <= hi && clamped(hi)) {
      std::int64_t in = middle, out = hi;
      while (out - in > 1) {
        const std::int64_t m = in + (out - in) / 2;
        (clamped(m) ? out : in) = m;
      }
      wanted.insert(wanted.end(), {out - 1, out, out + 1, out - 2, hi - (hi - out) / 4});
    }
    if (middle <= hi && clamped(lo)) {
      std::int64_t in = middle, out = lo;
      while (in - out > 1) {
        const std::int64_t m = out + (in - out) / 2;
        (clamped(m) ? out : in) = m;
      }
      wanted.insert(wanted.end(), {out + 1, out, out - 1, out + 2, lo + (out - lo) / 4});
    }
    // Steps onto the ends themselves.
    for (const std::int64_t q : {staged.min(), staged.max() - 1})
      if (const auto a = staged.first_above(q, c, lo, hi); a <= hi) wanted.insert(wanted.end(), {a, a - 1});
    for (const auto a : wanted)
      if (a >= lo && a <= hi) targets.push_back({c, a});
  }
  std::stable_sort(targets.begin(), targets.end(), [](const WantedSum& a, const WantedSum& b) { return a.channel < b.channel; });
  return targets;
}

bool elementwise(const Layer& layer) {
  if (!layer.has_out("y")) return false;
  for (const char* op : {"softmax", "mean", "sum", "std", "cat", "matmul", "pad", "slice", "flip", "permute", "transpose", "reshape", "flatten", "prelu", "batch_norm", "layer_norm", "group_norm", "instance_norm", "pixel_shuffle", "channel_shuffle", "quantize_dynamic", "quantize_rowwise"})
    if (layer.op == op) return false;
  for (const auto& [port, t] : layer.inputs)
    if ((port != "x" && port != "a" && port != "b") || t.shape != layer.out("y").shape || t.q.axis >= 0) return false;
  return layer.op.find("pool") == std::string::npos && layer.op.find("upsample") == std::string::npos && layer.out("y").q.axis < 0;
}

void fill_corners(Layer& layer, Random& random) {
  for (auto& [port, t] : layer.inputs) {
    if (port == "weight" || port == "bias" || port == "indices" || port == "offsets" || port.rfind("weight_", 0) == 0 || port.rfind("running", 0) == 0) continue;
    if (is_float(t.dtype)) {
      std::vector<float> v(static_cast<std::size_t>(t.size()));
      constexpr float corners[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, -0.5f, 7.9921875f, -8.0f, 1.1754944e-38f, -1.1754944e-38f};
      for (auto& e : v) e = corners[random.below(10)];
      t = Tensor::of_floats(t.name, t.shape, v);
      continue;
    }
    const std::int64_t lo = t.q.quantized() ? t.q.qmin : info(t.dtype).min, hi = t.q.quantized() ? t.q.qmax : info(t.dtype).max, z = t.q.quantized() && !t.q.float_zero_point ? t.q.integer_zero_point() : 0;
    std::vector<std::int32_t> v(static_cast<std::size_t>(t.size()));
    for (std::size_t i = 0; i < v.size(); ++i) {
      const std::int64_t corners[] = {lo, hi, lo + 1, hi - 1, z, z - 1, z + 1, lo / 2 + hi / 2};
      v[i] = static_cast<std::int32_t>(std::clamp(corners[i < 8 ? i : random.below(8)], lo, hi));
    }
    set_integers(t, v);
  }
}

namespace {

std::vector<PoolElement> candidates_of(const Workshop& w, const Layer& layer, const Result& r) {
  std::vector<PoolElement> all;
  const std::string port = main_output(layer);
  const Computed& y = r.outputs.at(port);
  const Tensor& t = layer.out(port);
  const auto s = stored_real(w, layer, r);
  const Range range = is_float(t.dtype) ? Range{0, 0} : activated_range(layer, t);
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    PoolElement c{std::numeric_limits<double>::quiet_NaN(), false, false, false, -std::numeric_limits<double>::infinity(), at < y.events.size() ? y.events[at] : Events{0}};
    if (s) c.near = s->near[at], c.half = is_half(*s, i) && c.near > static_cast<double>(range.min) - 1 && c.near < static_cast<double>(range.max) + 1;
    if (!is_float(t.dtype)) c.at_end = t.integer(i) == range.min || t.integer(i) == range.max;
    c.clamped = (c.events & event::clamped) != 0 || (s && !is_float(t.dtype) && (c.near < static_cast<double>(range.min) - 0.5 || c.near > static_cast<double>(range.max) + 0.5));
    if (s && !is_float(t.dtype)) c.beyond = std::max(static_cast<double>(range.min) - c.near, c.near - static_cast<double>(range.max));
    all.push_back(c);
  }
  return all;
}

/// Of layers whose outputs come from many inputs, half of the samples near an end of the range: else no mean reaches it.
void sweep_samples(Layer& layer, Random& random) {
  for (auto& [port, t] : layer.inputs) {
    if (is_float(t.dtype) || (port != "x" && port != "a") || !t.q.quantized()) continue;
    const std::int64_t lo = t.q.qmin, hi = t.q.qmax, row = t.size() / t.dim(0);
    auto q = t.i32();
    for (std::size_t i = 0; i < q.size(); ++i) {
      const std::int64_t way = static_cast<std::int64_t>(i) / row % 8;
      if (way < 4) q[i] = static_cast<std::int32_t>(way % 2 ? std::max(lo, hi - random.between(0, way)) : std::min(hi, lo + random.between(0, way)));
    }
    set_integers(t, q);
  }
}

/// Values that fill a candidate's inputs: every code in turn, and for floats the rounding boundaries of the output with their
/// neighbours on the float32 line.
void sweep(Layer& layer, Random& random) {
  bool first = true;
  for (auto& [port, t] : layer.inputs) {
    if (port != "x" && port != "a" && port != "b") continue;
    if (is_float(t.dtype)) {
      std::vector<float> v = t.f32();
      if (layer.has_out("y") && !is_float(layer.out("y").dtype) && layer.out("y").q.scale.size() == 1) {
        const Tensor& y = layer.out("y");
        const auto& range = info(y.dtype);
        for (std::size_t i = 0; i < v.size(); ++i) {
          const std::int64_t code = random.between(range.min - 2, range.max + 1) - y.q.integer_zero_point();
          float edge = static_cast<float>((static_cast<double>(code) + 0.5) * y.q.scale_of(0));
          const std::uint64_t beside = random.below(3);
          if (beside) edge = std::nextafter(edge, beside == 1 ? -INFINITY : INFINITY);
          v[i] = edge;
        }
        t = Tensor::of_floats(t.name, t.shape, v);
      }
      continue;
    }
    const std::int64_t lo = t.q.qmin, n = t.q.qmax - t.q.qmin + 1;
    if (first && n <= 65536 && elementwise(layer)) {
      auto q = t.i32();
      for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<std::int32_t>(lo + static_cast<std::int64_t>(i) % n);
      set_integers(t, q);
    }
    first = false;
  }
}

template <class Chosen>
Tensor gathered(const Tensor& t, const Shape& shape, const Chosen& from) {
  if (is_float(t.dtype)) {
    std::vector<float> v;
    for (const auto i : from) v.push_back(static_cast<float>(t.value(i)));
    return Tensor::of_floats(t.name, shape, v);
  }
  std::vector<std::int32_t> v;
  for (const auto i : from) v.push_back(static_cast<std::int32_t>(t.integer(i)));
  Tensor r = Tensor::of_integers(t.name, t.dtype, shape, t.q, v);
  r.memory_layout = t.memory_layout;
  return r;
}

}  // namespace

Layer pick(const Workshop& w, const CaseVariant& variant, std::int64_t samples, const std::function<double(const PoolElement&)>& score, Random& random, std::int64_t& liked) {
  liked = 0;
  const Layer small = blank_layer(w, variant, samples, random);
  if (!has_samples(small)) {  // nothing to pick from: the best of some
    Layer best = small;
    for (int tries = 0; tries < 16; ++tries) {
      Layer layer = blank_layer(w, variant, samples, random);
      if (tries % 2) fill_corners(layer, random);
      const Result r = compute(w, layer);
      std::int64_t n = 0;
      for (const auto& c : candidates_of(w, layer, r)) n += score(c) > 0;
      if (n > liked || tries == 0) liked = n, best = layer;
    }
    return best;
  }
  const std::int64_t per_sample = small.out("y").size() / samples;
  const std::int64_t many = std::clamp<std::int64_t>(16384 / std::max<std::int64_t>(1, per_sample), samples, std::max<std::int64_t>(samples, 1024));
  Random drawn = random;
  Layer pool = blank_layer(w, variant, many, drawn);
  for (auto& [port, t] : pool.inputs)  // weights and constants are the small layer's
    if (small.inputs.at(port).shape == t.shape && port != "x" && port != "a" && port != "b") t = small.inputs.at(port);
  for (auto& [port, t] : pool.inputs) t.q = small.inputs.at(port).q;
  for (auto& [port, t] : pool.outputs) t.q = small.outputs.at(port).q;
  sweep(pool, drawn);
  if (!elementwise(pool)) sweep_samples(pool, drawn);
  const Result r = compute(w, pool);
  const auto all = candidates_of(w, pool, r);
  const bool each = elementwise(pool);
  const std::int64_t unit = each ? 1 : per_sample, units = static_cast<std::int64_t>(all.size()) / unit, wanted = each ? samples * per_sample : samples;
  struct Scored {
    double score;
    std::int64_t unit, code, turn;
  };
  std::vector<Scored> scored;
  std::map<std::int64_t, std::int64_t> seen;
  std::vector<std::int64_t> order(static_cast<std::size_t>(units));
  for (std::int64_t i = 0; i < units; ++i) order[static_cast<std::size_t>(i)] = i;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[drawn.below(i)]);
  for (const auto u : order) {
    double s = 0;
    std::int64_t code = 0;
    for (std::int64_t i = u * unit; i < (u + 1) * unit; ++i) {
      const double here = score(all[static_cast<std::size_t>(i)]);
      if (here > 0) s += here, code = std::isfinite(all[static_cast<std::size_t>(i)].near) ? static_cast<std::int64_t>(std::floor(std::clamp(all[static_cast<std::size_t>(i)].near, -1e9, 1e9))) : 0;
    }
    if (s > 0) ++liked;
    scored.push_back({s, u, code, s > 0 ? seen[code]++ : 0});
  }
  // Liked ones first, every output value once before any comes again; the rest as drawn.
  std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    const bool la = a.score > 0, lb = b.score > 0;
    return la != lb ? la : la && a.turn != b.turn ? a.turn < b.turn : a.score > b.score;
  });
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < wanted; ++i) chosen.push_back(scored[static_cast<std::size_t>(i % units)].unit);
  if (!each) return with_samples(pool, chosen);
  Layer layer = small;
  for (auto& [port, t] : layer.inputs) t = gathered(pool.in(port), t.shape, chosen);
  return layer;
}

}  // namespace lastbit
