// streamed.cpp: see streamed.hpp.
#include "verifier/streamed.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "lib/error.hpp"
#include "lib/kernels/epilogue.hpp"
#include "lib/kernels/pair_excess.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/worst_case.hpp"
#include "verifier/contender.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/exact_blocks.hpp"
#include "verifier/float_blocks.hpp"
#include "verifier/nearest_blocks.hpp"
#include "verifier/stored_bounds.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t chunk = near_most; // elements of a run that are looked at together

/// Rivals of one arithmetic, as long as they give every observed value.
struct Standing {
  std::vector<std::size_t> rivals;
  std::unique_ptr<Contender> contender;         // none: made when the sample did not rule it out
  double doubt = HUGE_VAL;
  bool alive = true;
};

class Judge {
 public:
  Judge(const Layer& layer, const Operator& op, const Cell& cell, const StoredPlan& plan, const Requantizer& own, const std::optional<Epilogue>& epilogue, const StreamOptions& options, Streamed& result)
      : plan_(plan), own_(own), epilogue_(epilogue), rivals_(options.rivals), open_(options.open), result_(result), real_(options.exact || options.float_form || !rivals_.empty() || !epilogue ? real_lines(layer, plan.context) : RealLines{}), case_{layer, op, cell, plan, real_} {
    if (!epilogue_) nearest_ = NearestBlocks::of(case_, own);
    totals_.differ.reserve(64);
    request_.events = options.events;
    request_.observed = plan.observed;
    if (options.float_form && real_.known) float_ = std::make_unique<FloatBlocks>(layer, plan, real_);
    if ((options.exact || float_) && real_.known) exact_ = std::make_unique<ExactBlocks>(layer, plan.context, real_, plan.order.channels);  // it finds what is near, too
    wants_exact_ = options.exact && exact_;
    for (std::size_t k = 0; k < rivals_.size(); ++k) enter(k);
  }

  void operator()(const SumBlock& b) { b.wide ? wide(b) : narrow(b); }

  /// Whether the layer's own stages can be run here.
  bool able() const { return epilogue_ || nearest_; }
  bool overflowed() const { return overflowed_; }
  bool knows_real() const { return real_.known; }

  void finish() {
    result_.elements = totals_.elements;
    result_.mismatches = static_cast<std::int64_t>(totals_.differ.size());
    result_.events = {totals_.tie, totals_.clamped, totals_.saturated, totals_.wrapped, 0, totals_.inexact_float, 0};
    result_.acc_min = totals_.acc_min;
    result_.acc_max = totals_.acc_max;
    if (wants_exact_) result_.exact = exact_->summary();
    if (result_.mismatches || overflowed_) return;
    if (float_) result_.float_form = float_->summary();
    for (const auto& s : standing_)
      if (s.alive && s.contender->allows_the_rest())
        for (const std::size_t k : s.rivals) result_.alike[k] = true;
  }

 private:
  void enter(std::size_t k) {
    if (result_.alike[k] || same_arithmetic(case_, rivals_[k])) result_.alike[k] = true;
    else {
      const Cell& c = rivals_[k].cell;
      const auto twin = std::find_if(standing_.begin(), standing_.end(), [&](const Standing& s) {
        return same_rule(rivals_[s.rivals[0]].cell, c);
      });
      if (twin != standing_.end()) twin->rivals.push_back(k);
      else standing_.push_back({{k}, nullptr, HUGE_VAL, true});
    }
  }

  /// Contenders and the float form are of a layer whose every element agrees.
  void drop_all() {
    standing_.clear();
    float_.reset();
    if (!wants_exact_) exact_.reset();
    doubt_ = 0;
    all_ = false;
    opened_ = true;
  }

  /// The first block: contenders that give another value at a few of its elements need no constants for the others.
  void open(const SumBlock& b) {
    opened_ = true;
    constexpr std::int64_t channels_tried = 4, tried = 256;
    if (standing_.empty() && !float_) return;
    own_doubt_ = doubt_of(own_, case_);
    if (float_ && (std::isinf(own_doubt_) || std::isinf(float_->doubt()))) float_.reset();
    if (standing_.empty()) return drop_dead();
    std::vector<std::int64_t> channels;
    std::vector<Element> sample;
    for (std::int64_t r = 0; r < b.runs && static_cast<std::int64_t>(sample.size()) < tried; ++r)
      for (std::int64_t i = 0; i < b.length && static_cast<std::int64_t>(sample.size()) < tried; ++i) {
        const std::int64_t at = b.first + r * b.step + i, channel = plan_.channel_of(at);
        auto place = std::find(channels.begin(), channels.end(), channel);
        if (place == channels.end()) {
          if (static_cast<std::int64_t>(channels.size()) == channels_tried) { if (!plan_.order.channels_last) r = b.runs; break; }
          place = channels.insert(channels.end(), channel);
        }
        sample.push_back({at, place - channels.begin(), b.acc[r * b.acc_step + i], plan_.observed_at(at)});
      }
    RequantizeContext few = plan_.context;
    if (plan_.context.channels.size() > 1) {
      few.channels.clear();
      for (const auto channel : channels) few.channels.push_back(plan_.context.channels[static_cast<std::size_t>(channel)]);
      if (few.channels.size() == 1) few.channels.push_back(few.channels[0]);
    }
    StageBinder with_few(std::move(few), case_.layer.place), with_all(plan_.context, case_.layer.place);
    for (auto& s : standing_) {
      const RivalCell& rival = rivals_[s.rivals[0]];
      try {
        const auto on_few = contender(case_, rival, with_few);
        if (!on_few) {
          for (const std::size_t k : s.rivals) (*open_)[k] = true;
          s.alive = false;
          continue;
        }
        if (!on_few->needs_all_channels() || plan_.context.channels.size() == 1)
          s.alive = std::all_of(sample.begin(), sample.end(), [&](const Element& e) {
            return !is_near({e.at, plan_.channel_of(e.at), e.acc, e.observed}, on_few->doubt()) || on_few->allows(e);
          });
        if (!s.alive) continue;
        s.contender = contender(case_, rival, with_all);
        s.doubt = s.contender->doubt();
      } catch (const Error&) {
        s.alive = false;  // the rival cannot compute this layer
      }
    }
    drop_dead();
  }

  void drop_dead() {
    standing_.erase(std::remove_if(standing_.begin(), standing_.end(), [](const Standing& s) { return !s.alive; }), standing_.end());
    // Away from a boundary by more than both may err, a contender and the layer's own stages give the same value.
    doubt_ = float_ ? std::max(own_doubt_, float_->doubt()) : 0;
    all_ = false;
    for (auto& s : standing_) {
      if (std::isinf(own_doubt_)) s.doubt = HUGE_VAL;
      std::isinf(s.doubt) ? void(all_ = true) : void(doubt_ = std::max({doubt_, s.doubt, own_doubt_}));
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

  void narrow(SumBlock b) {
    const std::size_t differing = totals_.differ.size();
    request_.stored = nullptr;
    if (exact_ || float_ || !standing_.empty()) turn_sums(b);  // they look at it run by run
    if (nearest_) nearest_->run(b, nullptr, totals_);
    else run_epilogue(*epilogue_, b, plan_.order, request_, totals_);
    if (!totals_.differ.empty()) drop_all();
    if (!opened_) open(b);
    if (!exact_ && !float_ && standing_.empty()) return;
    // What the profile gives is what was observed, unless something in the block differs.
    const bool other = exact_ && totals_.differ.size() != differing;
    if (other) {
      const std::int64_t room = (b.runs - 1) * b.acc_step + b.length;
      if (static_cast<std::int64_t>(stored_.size()) < room) stored_.resize(static_cast<std::size_t>(room));
      EpilogueResult again;
      request_.stored = stored_.data();
      if (nearest_) nearest_->run(b, stored_.data(), again);
      else run_epilogue(*epilogue_, b, plan_.order, request_, again);
    }
    if (other) look(b, stored_.data(), b.acc_step);
    else look(b, plan_.observed + b.first, b.step);
  }

  /// A block whose elements all have the value `stored`, run r's from stored[r * stored_step] on.
  void look(const SumBlock& b, const std::byte* stored, std::int64_t stored_step) {
    // Runs go together where they are of one channel, or of one after the other.
    const std::int64_t P = plan_.order.positions;
    const bool across = plan_.order.channels_last, still = across ? b.step % plan_.order.channels == 0 : b.first % P + (b.runs - 1) * b.step + b.length <= P;
    const bool one_by_one = b.runs > 1 && !still && (across || b.step != P);
    const double doubt = std::max(doubt_ * 1.01, real_.bound);
    std::array<std::uint16_t, near_together> near;
    NearRequest request;
    request.is_signed = plan_.observed_signed;
    request.acc_step = b.acc_step;
    request.stored_step = stored_step;
    request.doubt = doubt;
    request.line.step = across ? 1 : 0;
    request.line.run_step = still ? 0 : 1;
    Line margin = request.line;
    const std::int32_t* peak = nullptr;
    const bool some32 = float_ && float_->margins(b, one_by_one, margin, peak);
    for (std::int64_t from = 0; from < b.length; from += chunk) {
      request.n = std::min(chunk, b.length - from);
      const std::int64_t together = one_by_one ? 1 : near_together / request.n;
      for (std::int64_t run = 0; run < b.runs; run += together) {
        request.runs = std::min(together, b.runs - run);
        request.acc = b.acc + run * b.acc_step + from;
        request.stored = stored + run * stored_step + from;
        const std::int64_t first = b.first + run * b.step + from, channel = plan_.channel_of(first);
        if (some32) {
          request.peak = peak + run * b.acc_step + from;
          request.margin = margin;
          request.margin.multiplier += run * margin.run_step + from * margin.step;
          request.margin.offset += run * margin.run_step + from * margin.step;
        }
        const std::int64_t found = !real_.known ? 0
                                   : exact_ ? exact_->add(request, channel, near.data())
                                            : near_boundary(real_, request, channel, near.data());
        for (std::int64_t k = 0; k < found; ++k) {
          const std::int64_t e = near[static_cast<std::size_t>(k)], r = e / request.n, i = e % request.n, at = first + r * b.step + i, c = plan_.channel_of(at);
          const std::int32_t acc = request.acc[r * b.acc_step + i];
          if (exact_) exact_->decide(acc, StoredPlan::integer_of(request.stored[r * stored_step + i], plan_.observed_signed), c);
          if (float_ && is_near({at, c, acc, 0}, float_->doubt())) float_->decide(at, acc);
          if (some32) float_->decide32(b, run + r, from + i);
          if (!standing_.empty()) judge({at, c, acc, plan_.observed_at(at)}, false);
        }
        if (all_)
          for (std::int64_t r = 0; r < request.runs && all_; ++r)
            for (std::int64_t i = 0; i < request.n && all_; ++i) {
              const std::int64_t at = first + r * b.step + i;
              judge({at, plan_.channel_of(at), request.acc[r * b.acc_step + i], plan_.observed_at(at)}, true);
            }
      }
    }
    if (some32) float_->done(b);
  }

  /// Whether a contender of this doubt and the layer's own stages may give the element different values.
  bool is_near(const Element& e, double doubt) const {
    if (std::isinf(doubt) || std::isinf(own_doubt_)) return true;
    const double v = static_cast<double>(e.acc) * real_.multiplier_of(e.channel) + real_.offset_of(e.channel);
    return std::fabs(v - std::floor(v) - 0.5) <= std::max(doubt, own_doubt_) * 1.01 + real_.bound;
  }

  void judge(const Element& e, bool unknown_only) {
    bool died = false;
    for (auto& s : standing_) {
      if (std::isinf(s.doubt) != unknown_only || !is_near(e, s.doubt)) continue;
      if (!s.contender->allows(e)) s.alive = false, died = true;
    }
    if (died) drop_dead();
  }

  const StoredPlan& plan_;
  const Requantizer& own_;
  const std::optional<Epilogue>& epilogue_;
  std::span<const RivalCell> rivals_;
  std::vector<bool>* open_;
  Streamed& result_;
  RealLines real_;
  ContenderCase case_;
  std::optional<NearestBlocks> nearest_;
  std::unique_ptr<ExactBlocks> exact_;
  std::unique_ptr<FloatBlocks> float_;
  std::vector<Standing> standing_;
  EpilogueRequest request_;
  EpilogueResult totals_;
  std::vector<std::byte> stored_;
  double doubt_ = 0, own_doubt_ = 0;
  bool wants_exact_ = false, all_ = false, opened_ = false, overflowed_ = false;
};

}  // namespace

namespace {

/// The cell without what it says of pairs.
Cell without_pairs(Cell cell) {
  for (const char* key : {"pairs", "pair_order", "pair_outside", "pair_offset", "pair_beyond", "kernels"}) cell.with.erase(key);
  return cell;
}

/// Whether some pair of products saturates in a way that changes a sum.
bool saturates_pairs(const Layer& layer, const Cell& cell, const StreamRequest& request) {
  const std::int32_t offset = pair_offset(cell);
  bool any = false;
  visit_pair_excess(request, pair_segments(layer, cell, request.geometry), pair_outside(cell, request.operands.x_zero_point), offset, [&](const PairExcess&) {
    any = true;
    return false;
  });
  return any;
}

}  // namespace

std::optional<Streamed> stream_layer(const StoredLayer& stored, const Operator& op, const Cell& own_cell, const StreamOptions& options) {
  const Layer& layer = stored.layer;
  const bool paired = own_cell.get("pairs") == "int16";
  const Cell cell = paired ? without_pairs(own_cell) : own_cell;
  auto plan = plan_of(stored, cell, paired || options.float_form);
  if (!plan) return std::nullopt;
  if (paired && saturates_pairs(layer, own_cell, plan->request)) return std::nullopt;
  const Requantizer own(cell.stages, plan->context, layer.place);
  const auto epilogue = epilogue_of(own, layer.out().dtype);
  Streamed s;
  s.alike.resize(options.rivals.size());
  if (options.open) options.open->assign(options.rivals.size(), false);
  for (std::size_t k = 0; k < options.rivals.size(); ++k) s.alike[k] = same_rule(options.rivals[k].cell, own_cell);
  Judge judge(layer, op, cell, *plan, own, epilogue, options, s);
  if (!judge.able()) return std::nullopt;
  if (options.exact && !judge.knows_real()) return std::nullopt;
  StreamNotes notes;
  plan->request.terms = options.float_form;
  plan->request.by_position = epilogue.has_value();
  s.kernel = stream_sums(plan->request, std::ref(judge), &notes);
  if (judge.overflowed()) return std::nullopt;  // a sum that the register does not hold
  s.pack_ms = notes.pack_seconds * 1e3;
  if (options.bounds) {
    const auto bias = integer_biases(own, cell.stages, plan->order.channels);
    s.bounds = packed_bounds(layer.in("x"), plan->request, notes, bias);
    if (!s.bounds) s.bounds = stored_bounds(stored, bias);
  }
  judge.finish();
  return s;
}

}  // namespace lastbit
