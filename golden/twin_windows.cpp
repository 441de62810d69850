// twin_windows.cpp: averages over windows and axes. See twin_rules.hpp.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "golden/rational.hpp"
#include "golden/twin_rules.hpp"

namespace lastbit {

using namespace rational;

namespace {

std::int64_t clamped(std::int64_t v, Range r) { return std::min(std::max(v, r.min), r.max); }
Exact scale_of(const Tensor& t) { return t.q.quantized() ? f32(Exact(t.q.scale_of(0))) : Exact(1); }

std::int64_t number(const std::string& text) {
  std::int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// What is averaged into one element: codes in row-major order, and what they are divided by.
struct Window {
  std::vector<std::int64_t> codes;
  std::int64_t divisor = 1, kernel = 1, channel = 0;
  std::int64_t sum() const {
    std::int64_t s = 0;
    for (const auto q : codes) s += q;
    return s;
  }
  std::int64_t size() const { return static_cast<std::int64_t>(codes.size()); }
};

/// Of a pool with a kernel, counted out axis by axis.
std::vector<Window> windows(const Layer& layer, const Cell& cell, std::size_t d) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  const auto rank = static_cast<std::size_t>(x.rank());
  const auto kernel = layer.attributes.integers("kernel_size", d), stride = layer.attributes.has("stride") ? layer.attributes.integers("stride", d) : kernel;
  std::vector<std::int64_t> padding = layer.attributes.has("padding") ? layer.attributes.list("padding") : std::vector<std::int64_t>(d, 0);
  if (padding.size() == 1) padding.assign(d, padding[0]);
  if (padding.size() == d) padding.insert(padding.end(), padding.begin(), padding.begin() + static_cast<std::ptrdiff_t>(d));
  const bool counts_padding = layer.attributes.boolean("count_include_pad", true), whole_kernel = cell.get("divisor", "padded") == "kernel";
  const std::int64_t fixed_divisor = layer.attributes.integer("divisor_override", 0);
  std::int64_t in_plane = 1, out_plane = 1, all = 1;
  for (std::size_t a = 0; a < d; ++a) in_plane *= x.shape[rank - d + a], out_plane *= y.shape[rank - d + a], all *= kernel[a];
  std::vector<Window> r;
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Window w;
    const std::int64_t plane = i / out_plane;
    w.kernel = all, w.channel = plane % x.shape[rank - d - 1];
    std::int64_t rest = i % out_plane, padded = 1;
    std::vector<std::array<std::int64_t, 2>> inside(d);
    for (std::size_t a = d; a-- > 0;) {
      const std::int64_t extent = x.shape[rank - d + a], from = rest % y.shape[rank - d + a] * stride[a] - padding[a], to = from + kernel[a];
      rest /= y.shape[rank - d + a];
      inside[a] = {std::max<std::int64_t>(0, from), std::min(extent, to)};
      padded *= std::min(to, extent + padding[d + a]) - from;
    }
    std::vector<std::int64_t> at;
    for (const auto& range : inside) at.push_back(range[0]);
    for (bool more = std::all_of(inside.begin(), inside.end(), [](const auto& range) { return range[0] < range[1]; }); more;) {
      std::int64_t index = 0;
      for (std::size_t a = 0; a < d; ++a) index = index * x.shape[rank - d + a] + at[a];
      w.codes.push_back(x.integer(plane * in_plane + index));
      more = false;
      for (std::size_t a = d; a-- > 0 && !more;) {
        if (++at[a] < inside[a][1]) more = true;
        else at[a] = inside[a][0];
      }
    }
    w.divisor = fixed_divisor ? fixed_divisor : counts_padding ? (whole_kernel ? all : padded) : w.size();
    r.push_back(std::move(w));
  }
  return r;
}

/// Of a mean over axes.
std::vector<Window> groups(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  std::vector<char> reduced(x.shape.size(), layer.attributes.has("dim") ? 0 : 1);
  if (layer.attributes.has("dim"))
    for (const auto a : layer.attributes.list("dim")) reduced[static_cast<std::size_t>(a < 0 ? a + x.rank() : a)] = 1;
  std::vector<Window> r(static_cast<std::size_t>(y.size()));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::int64_t rest = i, to = 0, step = 1;
    for (std::size_t a = x.shape.size(); a-- > 0;) {
      if (!reduced[a]) to += rest % x.shape[a] * step, step *= x.shape[a];
      rest /= x.shape[a];
    }
    r[static_cast<std::size_t>(to)].codes.push_back(x.integer(i));
  }
  for (std::size_t o = 0; o < r.size(); ++o) r[o].divisor = r[o].kernel = r[o].size(), r[o].channel = y.rank() ? static_cast<std::int64_t>(o) % y.dim(-1) : 0;
  return r;
}

/// The sum of float32 terms where no order rounds it.
Exact exact_sum(const std::vector<Exact>& terms) {
  Exact sum(0), size(0);
  int least = std::numeric_limits<int>::max();
  for (const auto& t : terms) {
    sum += t, size += abs(t);
    if (is_zero(t)) continue;
    int e = exponent_of(t) - 23;  // the last bit of the term: a multiple of 2^e; more where low bits are 0
    while (is_zero(t / power(e + 1) - Exact(floor_of(t / power(e + 1))))) ++e;
    least = std::min(least, e);
  }
  if (!is_zero(size) && size > power(least + 24)) throw NotRational{};
  return sum;
}

std::optional<std::int64_t> pooled(const std::string& rule, const Window& w, const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  const Exact si = scale_of(x), so = scale_of(y);
  const std::int64_t zi = x.q.integer_zero_point(), zo = y.q.integer_zero_point(), acc = w.sum() - zi * w.size();
  const Range range = activated_range(layer, y);
  if (rule == "integer_away") return clamped(whole(Exact(w.sum()) / Exact(w.size()), Ties::away), range);
  if (rule == "full_kernel" || rule == "range") {
    const Exact v = f32(Exact(acc) * f32(si / f32(so * Exact(w.kernel))));
    if (rule == "full_kernel") return clamped(whole(v, Ties::even) + zo, range);
    const Exact lo(range.min - zo), hi(range.max - zo);
    return whole(v < lo ? lo : v > hi ? hi : v, Ties::even) + zo;
  }
  if (rule == "float_sum") {
    Exact v(0);
    for (const auto q : w.codes) v = f32(v + f32(si * Exact(q - zi)));
    return clamped(whole(f32(f32(f32(v / Exact(w.divisor)) / so) + Exact(zo)), Ties::even), range);
  }
  const Exact m = f32(f32(si / so) / Exact(w.divisor));
  if (rule == "inside") return clamped(whole(f32(f32(Exact(acc) * m) + Exact(zo)), Ties::even), range);
  if (rule != "channels") return {};
  const std::int64_t width = number(cell.get("width", "0")), channels = x.shape[x.shape.size() - static_cast<std::size_t>(layer.op[layer.op.size() - 2] - '0') - 1], body = width ? channels / width * width : 0;
  const std::string way = w.channel < body ? cell.get("body", "multiply") : cell.get("tail", "outside");
  if (way == "multiply") return clamped(whole(f32(Exact(acc) * m), Ties::even) + zo, range);
  return quantized_rationally(way, Exact(acc), f32(Exact(1) / m).to_double(), zo, range);
}

std::optional<std::int64_t> averaged(const std::string& rule, const Window& w, const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  const Exact si = scale_of(x), so = scale_of(y), n(w.size());
  const std::int64_t zi = x.q.integer_zero_point(), zo = y.q.integer_zero_point(), sum = w.sum(), acc = sum - zi * w.size();
  const Range range = stored_range(y);
  if (rule == "codes") return clamped(whole(f32(Exact(sum) / n), Ties::even), range);
  if (rule == "full_kernel") return clamped(whole(f32(Exact(acc) * f32(si / f32(so * n))), Ties::even) + zo, range);
  if (rule == "float_sum") {
    std::vector<Exact> terms;
    for (const auto q : w.codes) terms.push_back(f32(si * Exact(q - zi)));
    return quantized_rationally(cell.get("rounding", "outside"), f32(exact_sum(terms) / n), y.q.scale_of(0), zo, range);
  }
  if (rule == "float_even") {
    const Exact f = f32(f32(si / so) * f32(Exact(1) / n)), b = f32(Exact(zo) - f32(f32(Exact(w.size() * zi)) * f)), v = f32(f32(Exact(sum)) * f);
    return clamped(whole(f32(v + b), Ties::even), range);
  }
  if (rule == "fixed") {
    const Multiplier by = multiplier(f64(Exact(x.q.scale_of(0)) / Exact(y.q.scale_of(0))));
    const int h = std::min({exponent_of(n), 32, 31 + by.shift});
    if (h < 0) return clamped(zo, range);
    return clamped(fixed(cell.get("fixed", "double_away"), wrapped(acc, 32), Multiplier{whole(Exact(by.m) * power(h) / n, Ties::floor), by.shift - h}) + zo, range);
  }
  if (rule == "fixed_planes") {
    const Exact t = f32(f32(Exact(zi) * si) / so), moved = f32(t > Exact(0) ? t + Exact(0.5) : t - Exact(0.5));
    const std::int64_t bias = zo - whole(moved, Ties::zero), block_end = y.rank() ? y.dim(-1) / 16 * 16 : 0;
    return clamped(fixed(w.channel < block_end ? cell.get("block", "double_up") : cell.get("fixed", "double_away"), wrapped(sum, 32), multiplier(f32(si / f32(n * so)))) + bias, range);
  }
  return {};
}

}  // namespace

std::optional<TwinValues> twin_windows(const Layer& layer, const Cell& cell) {
  const bool pool = layer.op == "avg_pool1d" || layer.op == "avg_pool2d" || layer.op == "avg_pool3d";
  if ((!pool && layer.op != "mean") || !layer.has_out("y") || is_float(layer.out("y").dtype) || is_float(layer.in("x").dtype)) return {};
  const auto all = pool ? windows(layer, cell, static_cast<std::size_t>(layer.op[layer.op.size() - 2] - '0')) : groups(layer);
  TwinValues v;
  bool any = false;
  for (const auto& w : all) {
    std::optional<std::int64_t> q;
    try {
      if (w.divisor != 0 && w.size() > 0) q = pool ? pooled(cell.rule, w, layer, cell) : averaged(cell.rule, w, layer, cell);
    } catch (const NotRational&) {
    }
    any = any || q;
    v.push_back(q);
  }
  if (!any) return {};
  return v;
}

}  // namespace lastbit
