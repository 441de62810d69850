// twin.cpp: see twin.hpp. It shares with the engine the text of the stages and the big rationals, nothing else: its own parser of
// expressions, its own roundings (rational.hpp), its own window loop.
#include "golden/twin.hpp"

#include "golden/rational.hpp"
#include "golden/twin_rules.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "lib/error.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/onednn_pairs.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {

using namespace rational;

namespace {

/// A constant of a profile: its value, and the type it is held in.
struct Constant {
  Exact value;
  enum class Held { literal, single, twice } held = Held::twice;
};

/// Sums and products of names and functions, evaluated while they are read.
class Reader {
 public:
  Reader(const std::string& text, const Names& names) : text_(text), names_(names) {}
  Constant all() {
    const Constant v = sum();
    skip();
    if (at_ != text_.size()) throw InternalError("the twin cannot read \"" + text_ + "\"");
    return v;
  }

 private:
  using Held = Constant::Held;
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  static Constant rounded(const Exact& v, const Constant& a, const Constant& b) {
    if (a.held == Held::literal && b.held == Held::literal) return {f64(v), Held::literal};
    const bool single = a.held != Held::twice && b.held != Held::twice;
    return {single ? f32(v) : f64(v), single ? Held::single : Held::twice};
  }
  Constant sum() {
    Constant v = product();
    for (;;) {
      if (take('+')) { const Constant b = product(); v = rounded(v.value + b.value, v, b); }
      else if (take('-')) { const Constant b = product(); v = rounded(v.value - b.value, v, b); }
      else return v;
    }
  }
  Constant product() {
    Constant v = factor();
    for (;;) {
      if (take('*')) { const Constant b = factor(); v = rounded(v.value * b.value, v, b); }
      else if (take('/')) {
        const Constant b = factor();
        if (is_zero(b.value)) throw NotRational{};
        v = rounded(v.value / b.value, v, b);
      } else return v;
    }
  }
  Constant factor() {
    if (take('-')) { Constant v = factor(); return {-v.value, v.held}; }
    if (take('(')) { const Constant v = sum(); take(')'); return v; }
    skip();
    std::string word;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '.')) word += text_[at_++];
    if (word.empty()) throw InternalError("the twin cannot read \"" + text_ + "\"");
    if (std::isdigit(static_cast<unsigned char>(word[0]))) return {Exact(std::stod(word)), Held::literal};
    if (!take('(')) {
      const std::size_t slot = Names::slot(word);
      if (slot == Names::none || !names_.has(slot)) throw InternalError("the twin knows no \"" + word + "\"");
      const double value = names_.value(slot);
      if (!std::isfinite(value)) throw NotRational{};
      return {Exact(value), Held::twice};
    }
    std::vector<Constant> of{sum()};
    while (take(',')) of.push_back(sum());
    take(')');
    const Exact& v = of[0].value;
    if (word == "f32") return {f32(v), Held::single};
    if (word == "f64") return {v, Held::twice};
    if (word == "rne") return {Exact(whole(v, Ties::even)), of[0].held};
    if (word == "q31") return {mantissa(v, 31), Held::twice};
    if (word == "q15") return {mantissa(v, 15), Held::twice};
    if (word == "pow2") return {mantissa(v, 1), Held::twice};
    if (word == "int_min") return {v < power(31) ? v : -power(31), of[0].held};
    if (word == "min" || word == "max") return rounded((word == "min") == (v < of.at(1).value) ? v : of.at(1).value, of[0], of.at(1));
    if (word == "fma") {
      const bool twice = std::any_of(of.begin(), of.end(), [](const Constant& c) { return c.held == Held::twice; });
      const Exact r = v * of.at(1).value + of.at(2).value;
      return {twice ? f64(r) : f32(r), twice ? Held::twice : Held::single};
    }
    throw InternalError("the twin knows no function \"" + word + "\"");
  }
  const std::string& text_;
  const Names& names_;
  std::size_t at_ = 0;
};

Exact constant(const std::string& text, const Names& names) { return Reader(text, names).all().value; }

std::vector<std::string> split(const std::string& s, char at) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : s) {
    if (c == at) parts.push_back(part), part.clear();
    else part += c;
  }
  parts.push_back(part);
  return parts;
}

Ties ties_of(const std::string& name) {
  if (name == "half_even") return Ties::even;
  if (name == "half_away") return Ties::away;
  if (name == "half_up") return Ties::up;
  if (name == "half_down") return Ties::down;
  if (name == "to_zero") return Ties::zero;
  if (name == "floor") return Ties::floor;
  if (name == "ceil") return Ties::ceil;
  throw InternalError("the twin knows no rounding \"" + name + "\"");
}

/// Constants of one layer, read once.
using Constants = std::map<std::pair<std::string, std::int64_t>, Exact>;

std::int64_t run(const std::vector<std::string>& stages, const RequantizeContext& c, Constants& known, std::int64_t acc, std::int64_t channel) {
  const Names& names = c.channels.size() == 1 ? c.channels[0] : c.channels[static_cast<std::size_t>(channel)];
  const std::int64_t zo = static_cast<std::int64_t>(names.at("zo"));
  Exact v(acc);
  enum class Held { integer, single, twice } held = Held::integer;
  const auto step = [&](const Exact& r) { v = held == Held::single ? f32(r) : held == Held::twice ? f64(r) : r; };
  const auto exactly = [&](const std::string& text) -> const Exact& {
    const std::pair key(text, c.channels.size() == 1 ? 0 : channel);
    if (const auto it = known.find(key); it != known.end()) return it->second;
    return known.emplace(key, constant(text, names)).first->second;
  };
  const auto typed = [&](const std::string& text) { return held == Held::single ? f32(exactly(text)) : exactly(text); };
  for (const auto& stage : stages) {
    if (!c.has_bias && stage.find("bias") != std::string::npos) continue;
    const auto space = stage.find(' ');
    const std::string verb = stage.substr(0, space), rest = space == std::string::npos ? "" : stage.substr(space + 1);
    const auto halves = split(rest, ';');
    if (verb == "bias") {
      const Exact b = exactly(rest), lo = -power(31), hi = power(31) - Exact(1);
      v = Exact(wrapped(v + Exact(whole(b < lo ? lo : b > hi ? hi : b, Ties::even)), 32));
    } else if (verb == "bias64") v += Exact(whole(exactly(rest), Ties::even));
    else if (verb == "float") held = Held::single, v = f32(v);
    else if (verb == "double") held = Held::twice, v = f64(v);
    else if (verb == "multiply") { if (held != Held::integer) step(v * typed(rest)); }
    else if (verb == "divide") {
      if (held == Held::integer) continue;
      const Exact by = typed(rest);
      if (is_zero(by)) throw NotRational{};
      step(v / by);
    } else if (verb == "add") {
      if (held == Held::integer) v += Exact(whole(exactly(rest), Ties::even));
      else step(v + typed(rest));
    } else if (verb == "fma") step(typed(halves.at(0)) * typed(halves.at(1)) + v);
    else if (verb == "muladd") step(v * typed(halves.at(0)) + typed(halves.at(1)));
    else if (verb == "activation") {
      if (held != Held::single || c.activation == "none") continue;
      if (c.activation == "relu") { if (v < Exact(0)) v = Exact(0); }
      else if (c.activation == "leaky_relu") { if (v < Exact(0)) step(v * f32(Exact(c.negative_slope))); }
      else if (c.activation == "tanh") throw NotRational{};
    } else if (verb == "fixed") {
      const auto gap = rest.find(' ');
      auto rules = split(rest.substr(0, gap), '/');
      std::string rule = rules[0];
      if (rules.size() == 3 && channel >= c.lanes / std::stoll(rules[1]) * std::stoll(rules[1])) rule = rules[2];
      v = Exact(fixed(rule, floor_of(v), exactly(rest.substr(gap + 1))));
    } else if (verb == "round") {
      const auto words = split(rest, ' ');
      const std::string overflow = words.size() > 1 ? words[1] : "int_min";
      held = Held::integer;
      if (overflow != "exact" && !(v >= -power(31) && v < power(31)))
        v = overflow == "int_min" ? -power(31) : v < Exact(0) ? -power(31) : power(31) - Exact(1);
      else v = Exact(whole(v, ties_of(words[0])));
    } else if (verb == "zero_point") step(v + (held == Held::single ? f32(Exact(zo)) : Exact(zo)));
    else if (verb == "saturate16") v = Exact(saturated(v, 16));
    else if (verb == "range" || verb == "clamp") {
      const std::int64_t by = verb == "range" ? zo : 0;
      const Exact lo(c.min - by), hi(c.max - by);
      v = v < lo ? lo : v > hi ? hi : v;
    } else throw InternalError("the twin knows no stage \"" + stage + "\"");
  }
  return floor_of(v);
}

/// Sums by a plain loop, pairs included, register by register.
std::vector<std::int64_t> sums(const Layer& layer, const Cell& cell, const Geometry& g, const AccumulationInput& in) {
  const std::int64_t P = g.positions(), O = g.groups * g.out_channels, C = g.in_channels, T = g.taps(), I = g.in_positions();
  const bool pairs = cell.get("pairs", "none") == "int16";
  std::vector<Segment> segments;
  if (pairs && cell.get("pair_order", "flat") == "onednn") segments = onednn_segments(layer, g, cell.get("kernels"));
  else if (pairs) {
    Segment all;
    const std::string order = cell.get("pair_order");
    if (order == "nine_taps") all = {0, 2, 1, 3, 4, 6, 5, 7};
    else if (order == "columns_first") {
      for (std::int64_t v = 0; v < g.kernel[2]; ++v)
        for (std::int64_t k = 0; k < T * C; ++k)
          if (k / C % g.kernel[2] == v) all.push_back(static_cast<std::int32_t>(k));
    }
    else if (order.starts_with("eights")) {
      const std::int64_t run = order == "eights_of_tap" ? C : T * C;
      for (std::int64_t k = 0; k < T * C; ++k)
        if (k % run % 16 < 8 && k % run + 8 < run)
          for (const std::int64_t term : {k, k + 8}) all.push_back(static_cast<std::int32_t>(order == "eights_channels_first" ? term % T * C + term / T : term));
    } else if (order == "channels_first") for (std::int64_t c = 0; c < C; ++c) for (std::int64_t t = 0; t < T; ++t) all.push_back(static_cast<std::int32_t>(t * C + c));
    else for (std::int64_t k = 0; k < T * C; ++k) all.push_back(static_cast<std::int32_t>(k));
    segments.push_back(all);
  }
  const std::int64_t offset = cell.get("pair_offset") == "128" ? 128 : cell.get("pair_offset") == "-128" ? -128 : 0;
  const bool wraps = cell.get("pair_beyond") == "wrap";
  const std::int64_t outside = cell.get("pair_outside", "zero_point") == "zero" ? 0 : in.x_zero_point + offset;
  std::vector<std::int64_t> all;
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t o = 0; o < O; ++o) {
      const std::int64_t group = o / g.out_channels, wz = in.w_zero_point.empty() ? 0 : in.w_zero_point.size() == 1 ? in.w_zero_point[0] : in.w_zero_point[static_cast<std::size_t>(o)];
      for (std::int64_t p = 0; p < P; ++p) {
        std::vector<std::int64_t> raw(static_cast<std::size_t>(T * C)), w(raw.size());
        std::int64_t sum = 0;
        for (std::int64_t t = 0; t < T; ++t) {
          const std::int64_t tap[3] = {t / (g.kernel[1] * g.kernel[2]), t / g.kernel[2] % g.kernel[1], t % g.kernel[2]}, out[3] = {p / (g.out[1] * g.out[2]), p / g.out[2] % g.out[1], p % g.out[2]};
          std::int64_t at = 0;
          bool inside = true;
          for (std::size_t a = 0; a < 3; ++a) {
            std::int64_t from;
            if (!g.transposed) from = out[a] * g.stride[a] - g.begin[a] + tap[a] * g.dilation[a];
            else {
              const std::int64_t reach = out[a] + g.begin[a] - tap[a] * g.dilation[a];
              inside = inside && reach >= 0 && reach % g.stride[a] == 0;
              from = reach / g.stride[a];
            }
            inside = inside && from >= 0 && from < g.in[a];
            at = at * g.in[a] + from;
          }
          for (std::int64_t c = 0; c < C; ++c) {
            const auto k = static_cast<std::size_t>(t * C + c);
            const std::int64_t x = inside ? in.x[static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + at)] : in.x_zero_point;
            const std::int64_t weight = in.w[static_cast<std::size_t>((o * C + c) * T + t)];
            sum += (x - in.x_zero_point) * (weight - wz);
            raw[k] = inside ? x + offset : outside;
            w[k] = weight;
          }
        }
        for (const auto& s : segments)
          for (std::size_t k = 0; k < s.size(); k += 2) {
            std::int64_t two = raw[static_cast<std::size_t>(s[k])] * w[static_cast<std::size_t>(s[k])];
            if (k + 1 < s.size()) two += raw[static_cast<std::size_t>(s[k + 1])] * w[static_cast<std::size_t>(s[k + 1])];
            sum += (wraps ? wrapped(two, 16) : std::clamp<std::int64_t>(two, -32768, 32767)) - two;
          }
        all.push_back(cell.get("accumulator", "int32") == "int32" ? wrapped(sum, 32) : sum);
      }
    }
  return all;
}

[[noreturn]] void disagree(const Layer& layer, std::int64_t i, const std::string& expected, const std::string& twin) {
  throw InternalError("the rational twin of " + layer.op + " gives " + twin + " at element " + std::to_string(i) + " of \"" + layer.name + "\", the profile " + expected);
}

/// Operators whose outputs are inputs, moved or chosen: nothing may be rounded.
bool moves(const Cell& cell) { return cell.rule == "copy" || cell.rule == "max"; }

}  // namespace

std::optional<std::int64_t> RationalStages::operator()(std::int64_t acc, std::int64_t channel) {
  try {
    return run(stages_, context_, constants_, acc, channel);
  } catch (const NotRational&) {
    return std::nullopt;
  }
}

std::optional<std::int64_t> requantize_rationally(const std::vector<std::string>& stages, const RequantizeContext& c, std::int64_t acc, std::int64_t channel) {
  Constants known;
  try {
    return run(stages, c, known, acc, channel);
  } catch (const NotRational&) {
    return std::nullopt;
  }
}

TwinResult check_twin(const Layer& layer, const Operator& op, const Cell& cell, const Result& result) {
  TwinResult t;
  const auto it = result.outputs.find("y");
  if (it == result.outputs.end() || !layer.has_out("y")) return t;
  const Computed& y = it->second;
  const Tensor& out = layer.out("y");
  const bool integers = !is_float(out.dtype);
  std::vector<std::int64_t> acc;
  RequantizeContext context;
  std::int64_t channels = 1, positions = 1;
  const auto geometry = cell.rule == "accumulate" && layer.op != "conv2d_add" && layer.find("weight") && layer.inputs.count("x") && !is_float(layer.in("x").dtype) ? accumulation_geometry(layer) : std::nullopt;
  if (geometry && integers && !cell.stages.empty()) {
    const AccumulationInput in = read_operands(layer, *geometry);
    acc = sums(layer, cell, *geometry, in);
    channels = geometry->groups * geometry->out_channels, positions = geometry->positions();
    context = requantize_context(layer, cell, in, channels);
  } else if (layer.op == "matmul" && cell.rule == "accumulate" && integers && !cell.stages.empty() && cell.get("pairs", "none") == "none" && layer.in("a").rank() == 2 && layer.in("b").rank() == 2) {
    const Tensor &a = layer.in("a"), &b = layer.in("b");
    const bool turned = layer.attributes.boolean("transpose_b", false);
    const std::int64_t K = a.dim(1);
    channels = out.dim(1);
    for (std::int64_t m = 0; m < out.dim(0); ++m)
      for (std::int64_t n = 0; n < channels; ++n) {
        std::int64_t sum = 0;
        for (std::int64_t k = 0; k < K; ++k) {
          const std::int64_t at = turned ? n * K + k : k * channels + n;
          sum += (a.integer(m * K + k) - a.q.integer_zero_point()) * (b.integer(at) - static_cast<std::int64_t>(b.zero_point_at(at)));
        }
        acc.push_back(cell.get("accumulator", "int32") == "int32" ? wrapped(sum, 32) : sum);
      }
    AccumulationInput in;
    in.x_scale = a.q.scale_of(0), in.x_zero_point = a.q.integer_zero_point(), in.x_dtype = a.dtype;
    context = requantize_context(layer, cell, in, channels, "b");
  } else if (layer.op == "requantize" && cell.rule == "stages") {
    const Tensor& x = layer.in("x");
    for (std::int64_t i = 0; i < x.size(); ++i) acc.push_back(x.integer(i) - x.q.integer_zero_point());
    const Range range = stored_range(out);
    context.min = range.min, context.max = range.max, context.lanes = channels = x.size();
    context.channels.push_back({{"si", x.q.scale_of(0)}, {"so", out.q.scale_of(0)}, {"sw", 1.0}, {"zi", x.q.zero_point_of(0)}, {"zo", out.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
  }
  if (!acc.empty() && cell.get("register").empty()) {
    if (acc.size() != y.q.size()) throw InternalError("the rational twin of " + layer.op + " has another number of elements");
    Constants known;
    for (std::size_t i = 0; i < acc.size(); ++i) {
      std::int64_t q = 0;
      try {
        q = run(cell.stages, context, known, acc[i], static_cast<std::int64_t>(i) / positions % channels);
      } catch (const NotRational&) {
        continue;
      }
      ++t.elements;
      if (q != y.q[i]) disagree(layer, static_cast<std::int64_t>(i), std::to_string(y.q[i]), std::to_string(q));
    }
    return t;
  }
  auto twin = integers ? twin_elementwise(layer, cell) : std::nullopt;
  if (integers && !twin) twin = twin_windows(layer, cell);
  if (twin) {
    if (twin->size() != y.q.size()) throw InternalError("the rational twin of " + layer.op + " has another number of elements");
    for (std::size_t i = 0; i < twin->size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      if (!(*twin)[i] || std::any_of(y.undefined.begin(), y.undefined.end(), [&](const Interval& u) { return u.index == at; })) continue;
      ++t.elements;
      if (*(*twin)[i] != y.q[i]) disagree(layer, at, std::to_string(y.q[i]), std::to_string(*(*twin)[i]));
    }
  }
  if (t.elements == static_cast<std::int64_t>(y.q.size()) && !y.q.empty()) return t;
  if (!op.real || cell.rule == "fixed_bytes") return t;  // a runtime's bug (the bytes of another type are summed) has no real value
  const Real real = op.real(layer, result);
  const auto& filter = real.filter();
  const std::size_t n = integers ? y.q.size() : y.f.size();
  if (filter.size() != n || real.bound.size() != n) return t;
  const Range range = integers ? activated_range(layer, out) : Range{0, 0};
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    if (twin && (*twin)[i]) continue;
    if (std::any_of(y.undefined.begin(), y.undefined.end(), [&](const Interval& u) { return u.index == at; })) continue;
    if (integers && out.q.quantized()) {
      // In stored units every rule that a runtime has is within one unit and a half of the real value; a moved value is exact.
      const double stored = std::clamp(filter[i] / out.scale_at(at) + out.zero_point_at(at), static_cast<double>(range.min) - 2, static_cast<double>(range.max) + 2);
      const double wanted = std::clamp(stored, static_cast<double>(range.min), static_cast<double>(range.max));
      // ATen's prelu multiplies positive values by "1 in the weight's integers", which its range may not hold exactly.
      const double coarse = layer.op == "prelu" && cell.rule == "aten" ? std::fabs(stored - out.zero_point_at(at)) * (std::fabs(1 - std::min(1.0, static_cast<double>(layer.in("weight").q.qmax - layer.in("weight").q.integer_zero_point()) * layer.in("weight").q.scale_of(0))) + layer.in("weight").q.scale_of(0)) : 0;
      const double allowed = moves(cell) ? 0 : 1.5 + real.bound[i] / out.scale_at(at) + std::fabs(stored) * 1e-6 + coarse;
      const double distance = std::fabs(static_cast<double>(y.q[i]) - wanted);
      if (moves(cell) ? distance > 1e-9 * std::fabs(wanted) + real.bound[i] / out.scale_at(at) : distance > allowed) disagree(layer, at, std::to_string(y.q[i]), std::to_string(wanted));
      ++t.bounded;
    } else if (!integers) {
      if (!std::isfinite(y.f[i]) || !std::isfinite(filter[i])) continue;
      const double distance = std::fabs(static_cast<double>(y.f[i]) - filter[i]);
      if (distance > real.bound[i] + std::fabs(filter[i]) * 0x1p-18 + 0x1p-120 + (layer.op.find("dynamic") != std::string::npos ? 1e300 : std::fabs(filter[i]) * 0x1p-6 + 0.05))
        disagree(layer, at, std::to_string(y.f[i]), std::to_string(filter[i]));
      ++t.bounded;
    }
  }
  return t;
}

}  // namespace lastbit
