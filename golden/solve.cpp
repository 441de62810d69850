// solve.cpp: see solve.hpp.
#include "golden/solve.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/pairs.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

bool accumulates(const Layer& l, const Cell& cell) {
  return cell.rule == "accumulate" && !cell.stages.empty() && l.op != "conv2d_add" && l.find("weight") && l.inputs.count("x") && !is_float(l.in("x").dtype) && l.has_out("y") && !is_float(l.out().dtype);
}

}  // namespace

std::shared_ptr<const Staged> Staged::of(const Workshop& w, const Layer& layer) {
  const Cell& cell = cell_of(w, layer);
  auto s = std::make_shared<Staged>();
  RequantizeContext context;
  if (accumulates(layer, cell)) {
    const auto g = accumulation_geometry(layer);
    if (!g) return nullptr;
    AccumulationInput in = read_operands(layer, *g);
    s->channels_ = g->groups * g->out_channels;
    context = requantize_context(layer, cell, in, s->channels_);
    s->float_bias_ = layer.find("bias") && is_float(layer.in("bias").dtype);
  } else if (layer.op == "requantize" && cell.rule == "stages") {
    const Tensor &x = layer.in("x"), &y = layer.out();
    const Range range = stored_range(y);
    context.min = range.min, context.max = range.max;
    context.channels.push_back({{"si", x.q.scale_of(0)}, {"so", y.q.scale_of(0)}, {"sw", 1.0}, {"zi", x.q.zero_point_of(0)}, {"zo", y.q.zero_point_of(0)}, {"bias", 0.0}, {"sb", 1.0}, {"alpha", 1.0}});
    context.lanes = 0;  // the loop after the blocks: what a single element gets
  } else {
    return nullptr;
  }
  s->requantize_ = std::make_shared<const Requantizer>(cell.stages, std::move(context), layer.place);
  return s;
}

std::int64_t Staged::channels() const { return channels_; }
const Names& Staged::names(std::int64_t channel) const {
  const auto& all = requantize_->context().channels;
  return all.size() == 1 ? all[0] : all[static_cast<std::size_t>(channel)];
}
std::int64_t Staged::output(std::int64_t acc, std::int64_t channel, Events& events) const { return (*requantize_)(acc, channel, events); }

Exact Staged::stored(std::int64_t acc, std::int64_t channel) const {
  const Names& n = names(channel);
  const Exact scale = Exact(n.at("si")) * Exact(n.at("sw"));
  Exact v = Exact(acc) * scale * Exact(n.at("alpha"));
  if (requantize_->context().has_bias) v += float_bias_ ? Exact(n.at("bias")) : Exact(n.at("bias")) * Exact(n.at("sb"));
  return v / Exact(n.at("so")) + Exact(n.at("zo"));
}
bool Staged::tie(std::int64_t acc, std::int64_t channel) const {
  const Names& n = names(channel);  // what is clearly none is not asked exactly
  const double bias = !requantize_->context().has_bias ? 0.0 : n.at("bias") * (float_bias_ ? 1.0 : n.at("sb"));
  const double near = (static_cast<double>(acc) * n.at("si") * n.at("sw") * n.at("alpha") + bias) / n.at("so") + n.at("zo");
  if (std::fabs(near) < 0x1p20 && std::fabs(near - std::floor(near) - 0.5) > 1e-6) return false;
  const Exact twice = stored(acc, channel) * Exact(2);
  const std::int64_t whole = twice.floor();
  return (whole & 1) != 0 && !(twice > Exact(whole));
}
double Staged::distance(std::int64_t acc, std::int64_t channel) const {
  const Exact v = stored(acc, channel);
  return (abs(v - Exact(v.floor()) - Exact(0.5))).to_double();
}

std::int64_t Staged::first_above(std::int64_t q, std::int64_t channel, std::int64_t lo, std::int64_t hi) const {
  Events ignored = 0;
  if (output(hi, channel, ignored) <= q) return hi + 1;
  while (lo < hi) {
    const std::int64_t middle = lo + (hi - lo) / 2;
    if (output(middle, channel, ignored) > q) hi = middle;
    else lo = middle + 1;
  }
  return lo;
}

std::vector<Boundary> boundaries(const Staged& s, std::int64_t channel, std::int64_t lo, std::int64_t hi) {
  std::vector<Boundary> all;
  if (lo > hi) return all;
  Events ignored = 0;
  const std::int64_t first = s.output(lo, channel, ignored), last = s.output(hi, channel, ignored);
  std::int64_t from = lo;
  for (std::int64_t q = first; q < last; ++q) {
    const std::int64_t above = s.first_above(q, channel, from, hi);
    if (above > hi) break;
    std::optional<std::int64_t> exact;
    // Several roundings in a row may move the step by one accumulator and more; the tie lies at it or beside it.
    for (std::int64_t t = std::max(lo, above - 2); t <= std::min(hi, above + 2) && !exact; ++t)
      if (s.tie(t, channel)) exact = t;
    Boundary b{exact ? *exact : std::max(lo, above - 1), q, exact.has_value(), 0};
    if (!exact) {
      b.distance = s.distance(b.acc, channel);
      if (above <= hi)
        if (const double d = s.distance(above, channel); d < b.distance) b.distance = d, b.acc = above;
    }
    all.push_back(b);
    from = above;
  }
  return all;
}

Solver::Solver(const Workshop& w, const Layer& layer) : layer_(layer) {
  ensure(accumulates(layer, cell_of(w, layer)), "a layer is solved that does not accumulate");
  geometry_ = *accumulation_geometry(layer);
  in_ = read_operands(layer, geometry_);
  taken_.resize(in_.x.size());
  elements_ = geometry_.batch * geometry_.groups * geometry_.out_channels * geometry_.positions();
  const Tensor& x = layer.in("x");
  lo_ = x.q.qmin, hi_ = x.q.qmax;
  const Cell& cell = cell_of(w, layer);
  if (cell.get("pairs", "none") != "int16") return;
  pairs_ = pair_segments(layer, cell, geometry_);
  pair_offset_ = pair_offset(cell), pair_factor_ = pair_factor(cell);
  pair_outside_ = pair_outside(cell, in_.x_zero_point);
  std::int64_t largest = 1;
  for (const auto v : in_.w) largest = std::max<std::int64_t>(largest, std::abs(v));
  pair_limit_ = 32767 / 2 / largest - pair_offset_;
}

std::vector<Solver::Term> Solver::terms(std::int64_t element, std::int64_t* fixed) const {
  const Geometry& g = geometry_;
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, O = g.groups * g.out_channels, T = g.taps();
  const std::int64_t p = element % P, o = element / P % O, n = element / P / O, group = o / g.out_channels;
  const std::int64_t ow = p % g.out[2], oh = p / g.out[2] % g.out[1], od = p / g.out[2] / g.out[1];
  const Operands operands{in_.x, in_.w, in_.x_zero_point, in_.w_zero_point};
  const std::int64_t wz = operands.wz(o);
  std::vector<Term> free;
  std::int64_t sum = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    const auto d = g.source(0, od, t / (g.kernel[1] * g.kernel[2])), h = g.source(1, oh, t / g.kernel[2] % g.kernel[1]), v = g.source(2, ow, t % g.kernel[2]);
    if (d < 0 || h < 0 || v < 0) continue;
    const std::int64_t at = (d * g.in[1] + h) * g.in[2] + v;
    for (std::int64_t c = 0; c < C; ++c) {
      const auto i = static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + at);
      const std::int64_t weight = in_.w[static_cast<std::size_t>((o * C + c) * T + t)] - wz;
      if (weight == 0) continue;
      if (taken_[i]) sum += (in_.x[i] - in_.x_zero_point) * weight;
      else free.push_back({i, weight, t * C + c});
    }
  }
  if (fixed) *fixed = sum;
  return free;
}

bool Solver::taken(std::int64_t element) const { return terms(element, nullptr).empty(); }

std::pair<std::int64_t, std::int64_t> Solver::reach(std::int64_t element) const {
  std::int64_t sum = 0;
  const auto free = terms(element, &sum);
  std::int64_t lo = sum, hi = sum;
  for (const auto& t : free) {
    const std::int64_t a = (lo_ - in_.x_zero_point) * t.w, b = (hi_ - in_.x_zero_point) * t.w;
    lo += std::min(a, b), hi += std::max(a, b);
  }
  return {lo, hi};
}

void Solver::extreme(std::int64_t element, bool largest) {
  for (const auto& t : terms(element, nullptr)) in_.x[t.x] = static_cast<std::int32_t>((t.w > 0) == largest ? hi_ : lo_), taken_[t.x] = 1;
}

/// Moves the free inputs from where they are until their sum is `target`: large steps first, then three inputs at once.
bool Solver::finish(std::vector<Term>& free, std::int64_t target, Random& random) {
  std::int64_t rest = target;
  for (const auto& t : free) rest -= (in_.x[t.x] - in_.x_zero_point) * t.w;
  std::vector<std::int32_t> before;
  for (const auto& t : free) before.push_back(in_.x[t.x]);
  const auto undo = [&] {
    for (std::size_t i = 0; i < free.size(); ++i) in_.x[free[i].x] = before[i];
    return false;
  };
  for (std::size_t i = free.size(); i > 1; --i) std::swap(free[i - 1], free[random.below(i)]);
  before.clear();
  for (const auto& t : free) before.push_back(in_.x[t.x]);
  const auto move = [&](const Term& t, std::int64_t by) {
    in_.x[t.x] = static_cast<std::int32_t>(in_.x[t.x] + by);
    rest -= by * t.w;
  };
  for (const auto& t : free) {
    if (rest == 0) return true;
    move(t, std::clamp(rest / t.w, lo_ - in_.x[t.x], hi_ - in_.x[t.x]));
  }
  if (rest == 0) return true;
  // rest = a * w1 + b * w2 + c * w3 over small a and b: about |w3| tries where no divisor stands in the way.
  const std::size_t n = free.size();
  if (n == 0) return false;
  for (std::size_t tries = 0; tries < 24; ++tries) {
    const Term &t1 = free[random.below(n)], &t2 = free[random.below(n)], &t3 = free[random.below(n)];
    if (t1.x == t2.x && n > 1) continue;
    if (t3.x == t1.x || t3.x == t2.x) {
      if (n > 2) continue;
    }
    const std::int64_t reach = std::min<std::int64_t>(hi_ - lo_, 40);
    for (std::int64_t a = -reach; a <= reach; ++a) {
      const std::int64_t x1 = in_.x[t1.x] + a;
      if (x1 < lo_ || x1 > hi_) continue;
      for (std::int64_t b = n > 2 ? -reach : 0; b <= (n > 2 ? reach : 0); ++b) {
        const std::int64_t x2 = in_.x[t2.x] + b, left = rest - a * t1.w - b * t2.w;
        if (x2 < lo_ || x2 > hi_ || left % t3.w != 0) continue;
        const std::int64_t c = left / t3.w, x3 = in_.x[t3.x] + c;
        if (x3 < lo_ || x3 > hi_) continue;
        if (n <= 2 && t3.x == t1.x && a != 0) continue;
        move(t1, a), move(t2, b), move(t3, c);
        if (rest == 0) return true;
        return undo();
      }
    }
  }
  return undo();
}

std::int64_t Solver::lost_in_pairs(std::int64_t element) const {
  if (pairs_.empty()) return 0;
  const Geometry& g = geometry_;
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, O = g.groups * g.out_channels, T = g.taps();
  const std::int64_t p = element % P, o = element / P % O, n = element / P / O, group = o / g.out_channels;
  std::vector<std::int64_t> product(static_cast<std::size_t>(T * C));
  for (std::int64_t t = 0; t < T; ++t) {
    const auto d = g.source(0, p / g.out[2] / g.out[1], t / (g.kernel[1] * g.kernel[2])), h = g.source(1, p / g.out[2] % g.out[1], t / g.kernel[2] % g.kernel[1]), v = g.source(2, p % g.out[2], t % g.kernel[2]);
    const bool inside = d >= 0 && h >= 0 && v >= 0;
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t raw = inside ? in_.x[static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + (d * g.in[1] + h) * g.in[2] + v)] + pair_offset_ : pair_outside_;
      product[static_cast<std::size_t>(t * C + c)] = raw * in_.w[static_cast<std::size_t>((o * C + c) * T + t)];
    }
  }
  std::int64_t lost = 0;
  for (const auto& s : pairs_)
    for (std::size_t k = 0; k < s.size(); k += 2) {
      const std::int64_t two = product[static_cast<std::size_t>(s[k])] + (k + 1 < s.size() ? product[static_cast<std::size_t>(s[k + 1])] : 0);
      lost += (two - std::clamp<std::int64_t>(two, -32768, 32767)) * pair_factor_;
    }
  return lost;
}

/// Where pairs saturate, the true sum must be as much further as they take away: corrected until both agree.
bool Solver::bring(std::int64_t element, std::vector<Term>& free, std::int64_t target, Random& random, bool exactly) {
  if (pairs_.empty() || exactly) return finish(free, target, random);
  std::int64_t wanted = target;
  for (int round = 0; round < 12; ++round) {
    if (!finish(free, wanted, random)) return false;
    const std::int64_t now = target + lost_in_pairs(element);
    if (now == wanted) return true;
    wanted = now;
  }
  return false;
}

bool Solver::solve(std::int64_t element, std::int64_t target, Random& random, bool exactly) {
  const auto [lo, hi] = reach(element);
  if (target < lo || target > hi) return false;
  std::int64_t fixed = 0;
  auto free = terms(element, &fixed);
  const bool paired = !pairs_.empty() && !exactly;
  const auto saved = in_.x;
  for (int tries = 0; tries < (paired ? 6 : 4); ++tries) {
    // The last tries keep to codes under which no pair saturates.
    const std::int64_t highest = hi_;
    if (paired && tries >= 3) hi_ = std::clamp(pair_limit_, lo_, hi_);
    if (tries > 0)
      for (const auto& t : free) in_.x[t.x] = static_cast<std::int32_t>(random.between(lo_, hi_));
    const bool found = bring(element, free, target - fixed, random, exactly);
    hi_ = highest;
    if (found) {
      for (const auto& t : free) taken_[t.x] = 1;
      return true;
    }
  }
  if (paired) in_.x = saved;
  return false;
}

bool Solver::saturate_pairs(std::int64_t element, std::int64_t target, std::int64_t offset, bool neighbours, Random& random) {
  auto free = terms(element, nullptr);
  std::sort(free.begin(), free.end(), [](const Term& a, const Term& b) { return a.order < b.order; });
  const auto saved = in_.x;
  const auto saved_taken = taken_;
  const std::int64_t wz = in_.w_zero_point.empty() ? 0 : in_.w_zero_point[0], raw = hi_ + offset;
  const auto fix = [&](const Term& t) { in_.x[t.x] = static_cast<std::int32_t>(hi_), taken_[t.x] = 1; };
  bool any = false;
  if (neighbours) {
    for (std::size_t i = 0; i + 1 < free.size() && !any; ++i)
      if (free[i].order % 2 == 0 && free[i + 1].order == free[i].order + 1 && std::abs(free[i].w + free[i + 1].w + 2 * wz) * raw > 32768) fix(free[i]), fix(free[i + 1]), any = true;
  } else {
    const bool positive = random.below(2) == 0;
    std::size_t fixed = 0;
    for (const auto& t : free)
      if ((t.w > 0) == positive && std::abs(t.w + wz) * raw * 2 > 36000 && fixed < free.size() / 2) fix(t), ++fixed;
    any = fixed >= 2;
  }
  if (!any || !solve(element, target, random, true)) {
    in_.x = saved, taken_ = saved_taken;
    return false;
  }
  return true;
}

Layer Solver::layer() const {
  Layer l = layer_;
  set_integers(l.inputs.at("x"), in_.x);
  return l;
}

}  // namespace lastbit
