// streamed.cpp: see streamed.hpp.
#include "verifier/streamed.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "lib/error.hpp"
#include "lib/kernels/epilogue.hpp"
#include "lib/kernels/signed_sums.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/profile/nearest.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/worst_case.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/exact_blocks.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t chunk = near_most; // elements of a run that are looked at together
constexpr double widest_doubt = 0x1p-5;   // LSB: a rival that may lie farther from the real number is judged on every element

/// Weights of a transposed convolution, [I, O/g, taps] -> [O, I/g, taps].
std::vector<std::byte> turned(const Geometry& g, const std::byte* w, std::size_t width) {
  const std::int64_t T = g.taps(), C = g.in_channels, O = g.out_channels;
  std::vector<std::byte> to(static_cast<std::size_t>(g.groups * C * O * T) * width);
  const std::size_t run = static_cast<std::size_t>(T) * width;
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t o = 0; o < O; ++o)
        std::copy_n(w + static_cast<std::size_t>((group * C + c) * O + o) * run, run, to.data() + static_cast<std::size_t>((group * O + o) * C + c) * run);
  return to;
}

/// A layer's tensors and constants, ready to be streamed.
struct Plan {
  StreamRequest request;
  OutputOrder order;
  const std::byte* observed = nullptr;
  bool observed_signed = false;
  std::vector<std::int64_t> w_zero_point;
  std::vector<std::byte> weights;          // when they had to be turned
  RequantizeContext context;
  std::vector<Tensor> held;
};

/// Whether the axes as stored are the operator's with the channels moved behind the others.
bool channels_last(const Tensor& t) {
  for (std::size_t i = 0; i < t.stored_axes.size(); ++i)
    if (t.stored_axes[i] != (i == 0 ? 0 : i == 1 ? static_cast<int>(t.stored_axes.size()) - 1 : static_cast<int>(i) - 1)) return false;
  return true;
}

/// The bytes of a port, and whether they are channels last.
const std::byte* bytes_of(const Tensor& t, const std::map<std::string, const std::byte*>& stored, const std::string& port, bool& last, std::vector<Tensor>& held) {
  const auto at = stored.find(port);
  last = at != stored.end() && channels_last(t);
  if (at == stored.end()) return t.data;
  if (last) return at->second;
  held.push_back(in_order(t, at->second));
  return held.back().data;
}

/// As read_operands() has them.
std::vector<std::int64_t> weight_zero_points(const Tensor& w, const Geometry& g) {
  const auto n = static_cast<std::int64_t>(w.q.zero_point.size());
  if (n <= 1) return {w.q.integer_zero_point()};
  std::vector<std::int64_t> all;
  for (std::int64_t c = 0; c < g.groups * g.out_channels; ++c) all.push_back(w.q.integer_zero_point(g.transposed ? c % n : c));
  return all;
}

/// A linear or a convolution of 8-bit operands.
bool reads_bytes(const Layer& layer) {
  static constexpr std::array<std::string_view, 7> ops{"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};
  if (std::find(ops.begin(), ops.end(), layer.op) == ops.end()) return false;
  const Tensor &x = layer.in("x"), &w = layer.in("weight");
  return !is_float(x.dtype) && !is_float(w.dtype) && info(x.dtype).bits <= 8 && info(w.dtype).bits <= 8 && w.q.group_size == 0;
}

/// What requantization needs of the operands: not their values.
AccumulationInput numbers_of(const Layer& layer, const Geometry& g) {
  const Tensor& x = layer.in("x");
  AccumulationInput in;
  in.x_zero_point = x.q.integer_zero_point();
  in.x_dtype = x.dtype;
  in.x_scale = x.q.quantized() ? x.q.scale_of(0) : 1;
  in.w_zero_point = weight_zero_points(layer.in("weight"), g);
  return in;
}

bool plain_register(const Cell& cell) {
  return cell.rule == "accumulate" && cell.get("pairs", "none") == "none" && cell.get("accumulator", "int32") == "int32" && cell.get("register").empty() && cell.get("bounds").empty();
}

std::optional<Plan> plan_of(const StoredLayer& stored, const Cell& cell) {
  const Layer& layer = stored.layer;
  if (!reads_bytes(layer) || !plain_register(cell)) return std::nullopt;
  if (layer.outputs.size() != 1 || !layer.has_out("y") || layer.out().size() == 0) return std::nullopt;
  const Tensor &x = layer.in("x"), &w = layer.in("weight"), &y = layer.out();
  if (is_float(y.dtype) || info(y.dtype).bits > 8) return std::nullopt;
  Plan p;
  Geometry& g = p.request.geometry;
  g = *accumulation_geometry(layer);
  StoredOperands& in = p.request.operands;
  const AccumulationInput numbers = numbers_of(layer, g);
  in.x_dtype = x.dtype;
  in.w_dtype = w.dtype;
  in.x_zero_point = numbers.x_zero_point;
  in.x = bytes_of(x, stored.inputs, "x", in.channels_last, p.held);
  if (g.transposed) {
    const auto at = stored.inputs.find("weight");
    const Tensor ordered = at == stored.inputs.end() ? w : in_order(w, at->second);
    p.weights = turned(g, ordered.data, 1);
    in.w = p.weights.data();
  } else {
    in.w = bytes_of(w, stored.inputs, "weight", in.w_channels_last, p.held);
  }
  const std::int64_t channels = g.groups * g.out_channels;
  p.w_zero_point = numbers.w_zero_point;
  p.observed = bytes_of(y, stored.outputs, "y", p.request.channels_last, p.held);
  if (layer.op == "linear") p.request.channels_last = true;  // one position: runs go along the channels
  p.observed_signed = info(y.dtype).min < 0;
  p.order = {channels, g.positions(), p.request.channels_last};
  p.context = requantize_context(layer, cell, numbers, channels);
  return p;
}

/// The sum of one output element, its terms read where they are stored, with 16-bit registers that two products share.
class PairedSums {
 public:
  PairedSums(const Layer& layer, const Cell& cell, const Plan& plan) : plan_(plan), g_(plan.request.geometry), in_(plan.request.operands), segments_(pair_segments(layer, cell, g_)) {
    offset_ = cell.get("pair_offset") == "128" ? 128 : 0;
    outside_ = cell.get("pair_outside", "zero_point") == "zero" ? 0 : in_.x_zero_point + offset_;
  }

  std::int64_t operator()(std::int64_t at) const {
    const std::int64_t P = g_.positions(), channels = plan_.order.channels, I = g_.in_positions(), C = g_.in_channels, T = g_.taps();
    const bool last = plan_.order.channels_last;
    const std::int64_t o = last ? at % channels : at / P % channels, p = last ? at / channels % P : at % P, n = at / channels / P, group = o / g_.out_channels;
    const std::int64_t ow = p % g_.out[2], oh = p / g_.out[2] % g_.out[1], od = p / g_.out[2] / g_.out[1], all = g_.groups * C;
    const std::int64_t wz = plan_.w_zero_point[plan_.w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(o)];
    std::vector<std::int64_t> x(static_cast<std::size_t>(T * C)), w(x.size());
    std::int64_t sum = 0;
    for (std::int64_t t = 0; t < T; ++t) {
      const auto d = g_.source(0, od, t / (g_.kernel[1] * g_.kernel[2])), h = g_.source(1, oh, t / g_.kernel[2] % g_.kernel[1]), c0 = g_.source(2, ow, t % g_.kernel[2]);
      const std::int64_t from = d < 0 || h < 0 || c0 < 0 ? -1 : (d * g_.in[1] + h) * g_.in[2] + c0;
      for (std::int64_t c = 0; c < C; ++c) {
        const auto k = static_cast<std::size_t>(t * C + c);
        w[k] = value(in_.w_dtype, in_.w, in_.w_channels_last ? (o * T + t) * C + c : (o * C + c) * T + t);
        x[k] = outside_;
        if (from < 0) continue;
        const std::int64_t v = value(in_.x_dtype, in_.x, in_.channels_last ? (n * I + from) * all + group * C + c : (n * all + group * C + c) * I + from);
        x[k] = v + offset_;
        sum += (v - in_.x_zero_point) * (w[k] - wz);
      }
    }
    for (const auto& s : segments_)
      for (std::size_t i = 0; i + 1 < s.size(); i += 2) {
        const auto a = static_cast<std::size_t>(s[i]), b = static_cast<std::size_t>(s[i + 1]);
        const std::int64_t product = x[a] * w[a] + x[b] * w[b];
        sum += saturate(product, 16) - product;
      }
    return wrap32(sum);
  }

 private:
  static std::int64_t value(DType d, const std::byte* p, std::int64_t i) {
    const auto v = std::to_integer<std::uint8_t>(p[i]);
    return info(d).min < 0 ? static_cast<std::int8_t>(v) : v;
  }

  const Plan& plan_;
  const Geometry& g_;
  const StoredOperands& in_;
  std::vector<Segment> segments_;
  std::int64_t offset_ = 0, outside_ = 0;
};

/// Another cell's stages on the same sums.
struct Contender {
  std::size_t rival = 0;
  std::vector<std::string> stages;
  std::unique_ptr<Requantizer> requantize;
  double doubt = 0;                             // how far from the real number its value may be, LSB; infinite: not known
  bool alive = true;
};

class Judge {
 public:
  Judge(const Layer& layer, const Operator& op, const Cell& cell, const Plan& plan, const Epilogue& epilogue, const StreamOptions& options, Streamed& result)
      : layer_(layer), op_(op), cell_(cell), plan_(plan), epilogue_(epilogue), rivals_(options.rivals), open_(options.open), result_(result), real_(real_lines(layer, plan.context)) {
    totals_.differ.reserve(64);
    request_.events = true;
    request_.observed = plan.observed;
    if (options.exact && real_.known) exact_ = std::make_unique<ExactBlocks>(layer, plan.context, real_);
    for (std::size_t k = 0; k < options.rivals.size(); ++k) enter(k, options.rivals[k], options);
  }

  void operator()(const SumBlock& b) {
    if (b.wide) return wide(b);
    if (!opened_) open(b);
    narrow(b);
  }

  bool overflowed() const { return overflowed_; }
  bool knows_real() const { return real_.known; }

  void finish(const StreamOptions& options) {
    result_.elements = totals_.elements;
    result_.mismatches = static_cast<std::int64_t>(totals_.differ.size());
    result_.events = {totals_.tie, totals_.clamped, totals_.saturated, totals_.wrapped, 0, totals_.inexact_float, 0};
    result_.acc_min = totals_.acc_min;
    result_.acc_max = totals_.acc_max;
    if (exact_) result_.exact = exact_->summary();
    for (const auto& c : contenders_)
      for (std::size_t k = 0; k < options.rivals.size(); ++k)
        if (c.alive && options.rivals[k].cell.stages == c.stages && shares_sums(options.rivals[k].cell)) result_.alike[k] = true;
  }

 private:
  bool shares_sums(const Cell& other) const {
    if (other.rule != "accumulate") return false;
    for (const char* key : {"accumulator", "pairs", "pair_order", "kernels"})
      if (other.get(key, "none") != cell_.get(key, "none")) return false;
    return other.get("bound") == cell_.get("bound") || !layer_.is("activation:relu6");  // the bound of a relu6 is a constant of its own
  }

  void enter(std::size_t k, const RivalCell& rival, const StreamOptions& options) {
    const Cell& c = rival.cell;
    if (c.rule == cell_.rule && c.stages == cell_.stages && c.with == cell_.with) result_.alike[k] = true;
    else if (!shares_sums(c)) {
      (*options.open)[k] = true;
      if (c.rule == "accumulate" && c.get("pairs") == "int16" && c.get("accumulator", "int32") == "int32") paired_.push_back(k);
    }
    else if (c.stages == cell_.stages) result_.alike[k] = true;
    else if (std::none_of(contenders_.begin(), contenders_.end(), [&](const Contender& other) { return other.stages == c.stages; })) contenders_.push_back({k, c.stages, nullptr, 0, true});
  }

  std::int64_t channel_of(std::int64_t at) const { return plan_.order.channels_last ? at % plan_.order.channels : at / plan_.order.positions % plan_.order.channels; }
  std::int64_t observed(std::int64_t at) const {
    const auto byte = std::to_integer<std::uint8_t>(plan_.observed[at]);
    return plan_.observed_signed ? static_cast<std::int8_t>(byte) : byte;
  }

  /// The first block: contenders that give another value at a few of its elements need no constants for the others.
  void open(const SumBlock& b) {
    opened_ = true;
    constexpr std::int64_t channels_tried = 4, tried = 256;
    constexpr std::size_t paired_tried = 32;
    if (contenders_.empty() && paired_.empty()) return;
    struct Sample { std::int64_t acc, at, channel, observed; };
    std::vector<std::int64_t> channels;
    std::vector<Sample> sample;
    for (std::int64_t r = 0; r < b.runs && static_cast<std::int64_t>(sample.size()) < tried; ++r)
      for (std::int64_t i = 0; i < b.length && static_cast<std::int64_t>(sample.size()) < tried; ++i) {
        const std::int64_t at = b.first + r * b.step + i, channel = channel_of(at);
        auto place = std::find(channels.begin(), channels.end(), channel);
        if (place == channels.end()) {
          if (static_cast<std::int64_t>(channels.size()) == channels_tried) { if (!plan_.order.channels_last) r = b.runs; break; }
          place = channels.insert(channels.end(), channel);
        }
        sample.push_back({b.acc[r * b.acc_step + i], at, channel, observed(at)});
      }
    RequantizeContext few = plan_.context;
    if (plan_.context.channels.size() > 1) {
      few.channels.clear();
      for (const auto channel : channels) few.channels.push_back(plan_.context.channels[static_cast<std::size_t>(channel)]);
      if (few.channels.size() == 1) few.channels.push_back(few.channels[0]);
    }
    const auto place = [&](std::int64_t channel) { return std::find(channels.begin(), channels.end(), channel) - channels.begin(); };
    for (const std::size_t k : paired_) {
      const Cell& c = rivals_[k].cell;
      if (vector_lanes(c.stages) || (c.get("bound") != cell_.get("bound") && layer_.is("activation:relu6"))) continue;  // other constants
      const auto requantize = bound(c.stages, few);
      if (!requantize) continue;
      const PairedSums sums(c.get("pair_order") == "onednn" ? as_rival(layer_, op_, rivals_[k]) : layer_, c, plan_);
      const std::size_t step = std::max<std::size_t>(1, sample.size() / paired_tried);
      for (std::size_t i = 0; i < sample.size(); i += step) {
        Events ignored = 0;
        if ((*requantize)(sums(sample[i].at), place(sample[i].channel), ignored) == sample[i].observed) continue;
        (*open_)[k] = false;  // and not alike
        break;
      }
    }
    for (auto& c : contenders_) {
      if (!vector_lanes(c.stages) && plan_.context.channels.size() > channels.size()) {
        const auto requantize = bound(c.stages, few);
        c.alive = requantize && std::all_of(sample.begin(), sample.end(), [&](const Sample& s) {
          Events ignored = 0;
          return (*requantize)(s.acc, place(s.channel), ignored) == s.observed;
        });
        if (!c.alive) continue;
      }
      c.requantize = bound(c.stages, plan_.context);
      if (!c.requantize) { c.alive = false; continue; }
      c.doubt = doubt_of(c.stages);
    }
    if (std::any_of(contenders_.begin(), contenders_.end(), [](const Contender& c) { return c.alive; })) own_doubt_ = doubt_of(cell_.stages);
    drop_dead();
  }

  /// Whether the rule depends on the channel's place in a vector.
  static bool vector_lanes(const std::vector<std::string>& stages) {
    return std::any_of(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("fixed ", 0) == 0 && s.find('/') < s.find(' ', 6); });
  }

  std::unique_ptr<Requantizer> bound(const std::vector<std::string>& stages, RequantizeContext context) const {
    try {
      return std::make_unique<Requantizer>(stages, std::move(context), layer_.place);
    } catch (const Error&) {
      return nullptr;  // the rival cannot compute this layer
    }
  }

  /// Largest distance, in LSB, between what the stages round and the real number, over all elements that a clamp does not decide.
  double doubt_of(const std::vector<std::string>& texts) const {
    if (!real_.known) return HUGE_VAL;  // m > 0 where it is
    const NearestStages stages(texts, plan_.context, layer_.place);
    const double reach = static_cast<double>(plan_.request.geometry.terms()) * 0x1p17;
    double most = 0;
    for (std::int64_t o = 0; o < plan_.order.channels; ++o) {
      const double m = real_.multiplier_of(o), a = real_.offset_of(o), far = (512 + std::fabs(a)) / m;
      const auto n = stages.of(o, far, reach);
      if (!n) return HUGE_VAL;
      most = std::max(most, n->error + std::fabs(n->multiplier - m) * far + std::fabs(n->offset - a));
      if (plan_.context.channels.size() == 1) break;
    }
    return most <= widest_doubt ? most : HUGE_VAL;
  }

  void drop_dead() {
    contenders_.erase(std::remove_if(contenders_.begin(), contenders_.end(), [](const Contender& c) { return !c.alive; }), contenders_.end());
    // Away from a boundary by more than both may err, a contender and the layer's own stages give the same value.
    doubt_ = std::isinf(own_doubt_) ? 0 : own_doubt_;
    all_ = std::isinf(own_doubt_) && !contenders_.empty();
    for (auto& c : contenders_) {
      if (std::isinf(own_doubt_)) c.doubt = HUGE_VAL;
      std::isinf(c.doubt) ? void(all_ = true) : void(doubt_ = std::max(doubt_, c.doubt));
    }
  }

  void wide(const SumBlock& b) {
    std::vector<std::int32_t> acc(static_cast<std::size_t>(b.length));
    for (std::int64_t r = 0; r < b.runs; ++r) {
      for (std::size_t i = 0; i < acc.size(); ++i) {
        const std::int64_t v = b.wide[r * b.acc_step + static_cast<std::int64_t>(i)];
        overflowed_ |= v != wrap32(v);
        acc[i] = wrap32(v);
      }
      SumBlock one = b;
      one.first += r * b.step;
      one.runs = 1;
      one.acc = acc.data();
      one.wide = nullptr;
      (*this)(one);
    }
  }

  void narrow(const SumBlock& b) {
    const bool screens = exact_ || !contenders_.empty();
    if (screens) {
      const std::int64_t room = (b.runs - 1) * b.acc_step + b.length;
      if (static_cast<std::int64_t>(stored_.size()) < room) stored_.resize(static_cast<std::size_t>(room));
      request_.stored = stored_.data();
    } else {
      request_.stored = nullptr;
    }
    run_epilogue(epilogue_, b, plan_.order, request_, totals_);
    if (!screens) return;
    for (std::int64_t r = 0; r < b.runs; ++r)
      for (std::int64_t i = 0; i < b.length; i += chunk) {
        const std::int64_t n = std::min(chunk, b.length - i), first = b.first + r * b.step + i;
        look(b.acc + r * b.acc_step + i, stored_.data() + r * b.acc_step + i, first, n);
      }
  }

  void look(const std::int32_t* acc, const std::byte* stored, std::int64_t first, std::int64_t n) {
    std::array<std::uint16_t, chunk> near;
    const std::int64_t channel = channel_of(first);
    const double doubt = std::max(doubt_ * 1.01, real_.bound);
    const std::int64_t found = exact_ ? exact_->add(acc, stored, plan_.observed_signed, channel, plan_.order.channels_last, n, doubt, near.data())
                                      : near_boundary(real_, acc, channel, plan_.order.channels_last, n, doubt, near.data());
    for (std::int64_t k = 0; k < found; ++k) {
      const std::int64_t i = near[static_cast<std::size_t>(k)], at = first + i, c = channel_of(at);
      if (exact_) exact_->decide(acc[i], value_of(stored[i]), c);
      judge(acc[i], at, c, false);
    }
    if (all_)
      for (std::int64_t k = 0; k < n && all_; ++k) judge(acc[k], first + k, channel_of(first + k), true);
  }

  std::int64_t value_of(std::byte b) const {
    const auto v = std::to_integer<std::uint8_t>(b);
    return plan_.observed_signed ? static_cast<std::int8_t>(v) : v;
  }

  void judge(std::int32_t acc, std::int64_t at, std::int64_t channel, bool unknown_only) {
    bool died = false;
    for (auto& c : contenders_) {
      if (unknown_only && !std::isinf(c.doubt)) continue;
      Events ignored = 0;
      if ((*c.requantize)(acc, channel, ignored) != observed(at)) c.alive = false, died = true;
    }
    if (died) drop_dead();
  }

  const Layer& layer_;
  const Operator& op_;
  const Cell& cell_;
  const Plan& plan_;
  const Epilogue& epilogue_;
  std::span<const RivalCell> rivals_;
  std::vector<bool>* open_;
  Streamed& result_;
  RealLines real_;
  std::unique_ptr<ExactBlocks> exact_;
  std::vector<Contender> contenders_;
  std::vector<std::size_t> paired_;          // rivals whose products share 16-bit registers
  EpilogueRequest request_;
  EpilogueResult totals_;
  std::vector<std::byte> stored_;
  double doubt_ = 0, own_doubt_ = 0;
  bool all_ = false, opened_ = false, overflowed_ = false;
};

}  // namespace

std::optional<Streamed> stream_layer(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const Layer& layer = stored.layer;
  auto plan = plan_of(stored, cell);
  if (!plan) return std::nullopt;
  plan->request.operands.w_zero_point = plan->w_zero_point;
  const Requantizer own(cell.stages, plan->context, layer.place);
  const auto epilogue = epilogue_of(own, layer.out().dtype);
  if (!epilogue) return std::nullopt;
  Streamed s;
  s.alike.resize(options.rivals.size());
  if (options.open) options.open->assign(options.rivals.size(), false);
  Judge judge(layer, op, cell, *plan, *epilogue, options, s);
  if (options.exact && !judge.knows_real()) return std::nullopt;
  double pack_seconds = 0;
  s.kernel = stream_sums(plan->request, std::ref(judge), &pack_seconds);
  if (judge.overflowed()) return std::nullopt;  // a sum that the register does not hold
  s.pack_ms = pack_seconds * 1e3;
  judge.finish(options);
  return s;
}

namespace {

/// Whether some output position has all its taps inside the input.
bool all_inside(const Geometry& g) {
  for (int axis = 0; axis < 3; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    bool any = false;
    for (std::int64_t o = 0; o < g.out[a] && !any; ++o) {
      any = true;
      for (std::int64_t t = 0; t < g.kernel[a] && any; ++t) any = g.source(axis, o, t) >= 0;
    }
    if (!any) return false;
  }
  return true;
}

}  // namespace

std::optional<AccumulatorBounds> stored_bounds(const StoredLayer& stored, const Cell& cell) {
  const Layer& layer = stored.layer;
  if (cell.rule != "accumulate" || !reads_bytes(layer)) return std::nullopt;
  const Tensor &x = layer.in("x"), &weight = layer.in("weight");
  const Geometry g = *accumulation_geometry(layer);
  const AccumulationInput in = numbers_of(layer, g);
  const std::int64_t channels = g.groups * g.out_channels, low = x.q.qmin - in.x_zero_point, high = x.q.qmax - in.x_zero_point, terms = g.terms();
  const bool rows = !g.transposed && (weight.data || weight.stored_axes[0] == 0);  // one channel's weights lie together
  if (!rows || g.batch == 0 || low > 0 || high < 0 || !all_inside(g)) return std::nullopt;
  const std::byte* bytes = weight.data ? weight.data : stored.inputs.at("weight");
  const auto bias = integer_biases(cell.stages, requantize_context(layer, cell, in, channels), channels, layer.place);
  AccumulatorBounds all{0, 0};
  for (std::int64_t o = 0; o < channels; ++o) {  // a term less is never wider: positions at the border need no look
    const std::int64_t wz = in.w_zero_point[in.w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(o)], b = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
    const SignedSums w = signed_sums(weight.dtype, bytes + o * terms, terms, static_cast<std::int32_t>(wz));
    const std::int64_t min = low * w.positive + high * w.negative + b, max = high * w.positive + low * w.negative + b;
    all = o == 0 ? AccumulatorBounds{min, max} : AccumulatorBounds{std::min(all.min, min), std::max(all.max, max)};
  }
  return all;
}

}  // namespace lastbit
