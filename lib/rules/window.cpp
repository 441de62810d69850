// window.cpp: see window.hpp.
#include "lib/rules/window.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/round.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t limit = std::int64_t{1} << 31;  // sizes and attributes beyond this are refused

std::vector<std::int64_t> attribute(const Layer& layer, const char* name, std::size_t n, std::int64_t least, std::optional<std::int64_t> otherwise) {
  const auto v = layer.attributes.integers(name, n, otherwise);
  for (const auto i : v)
    if (i < least || i >= limit)
      throw Error(layer.place + ": attribute \"" + name + "\"", "found " + std::to_string(i) + ", expected " + std::to_string(least) + " to 2147483647");
  return v;
}

std::vector<std::int64_t> paddings(const Layer& layer, std::size_t n) {
  std::vector<std::int64_t> p{0};
  if (layer.attributes.has("padding")) p = layer.attributes.list("padding");
  if (p.size() == 1) p.assign(2 * n, p[0]);
  else if (p.size() == n) p.insert(p.end(), p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n));
  if (p.size() != 2 * n) throw Error(layer.place + ": attribute \"padding\"", "found " + std::to_string(p.size()) + " entries, expected " + std::to_string(n) + " or " + std::to_string(2 * n));
  for (const auto i : p)
    if (i < 0 || i >= limit) throw Error(layer.place + ": attribute \"padding\"", "found " + std::to_string(i) + ", expected 0 to 2147483647");
  return p;
}

Windows planes_of(const Layer& layer, int dims) {
  const Tensor& x = layer.in("x");
  Windows w;
  const bool batched = x.rank() == dims + 2;
  w.channels = x.dim(-1 - dims);
  w.planes = w.channels * (batched ? x.dim(0) : 1);
  w.shape = Shape(x.shape.begin(), x.shape.end() - dims);
  for (int a = 0; a < dims; ++a) w.in[static_cast<std::size_t>(3 - dims + a)] = x.dim(a - dims);
  return w;
}

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return a <= 0 ? -(-a / b) : (a - 1) / b + 1; }

}  // namespace

std::array<const Taps*, 3> Windows::at(std::int64_t position) const {
  const auto wide = static_cast<std::int64_t>(axis[2].size()), high = static_cast<std::int64_t>(axis[1].size());
  return {&axis[0][static_cast<std::size_t>(position / wide / high)], &axis[1][static_cast<std::size_t>(position / wide % high)], &axis[2][static_cast<std::size_t>(position % wide)]};
}

void check_pool_input(const Layer& layer, int dims) {
  const Tensor& x = layer.in("x");
  if (x.rank() != dims + 1 && x.rank() != dims + 2)
    throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected " + std::to_string(dims + 1) + " or " + std::to_string(dims + 2) + " axes");
  if (is_float(x.dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(x.dtype)) + ", expected an integer type");
  for (int a = 1; a <= dims; ++a)
    if (x.dim(-a) < 1) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected spatial sizes of at least 1");
  if (is_float(layer.out().dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(layer.out().dtype)) + ", expected an integer type");
}

Windows pool_windows(const Layer& layer, int dims) {
  const auto n = static_cast<std::size_t>(dims);
  const auto kernel = attribute(layer, "kernel_size", n, 1, {});
  std::vector<std::int64_t> stride = kernel;  // PyTorch: an absent or empty stride is the kernel
  if (layer.attributes.has("stride") && !layer.attributes.list("stride").empty()) stride = attribute(layer, "stride", n, 1, {});
  const auto dilation = attribute(layer, "dilation", n, 1, 1);
  const auto padding = paddings(layer, n);
  const bool ceil_mode = layer.attributes.boolean("ceil_mode", false);
  Windows w = planes_of(layer, dims);
  std::array<std::int64_t, 3> out{1, 1, 1};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t a = 3 - n + i;
    const std::int64_t begin = padding[i], end = padding[n + i], reach = dilation[i] * (kernel[i] - 1) + 1, slack = w.in[a] + begin + end - reach;
    if (slack < 0 && !(ceil_mode && -slack < stride[i]))  // PyTorch rounds the negative quotient up, too: one window, of which the end is cut
      throw Error(layer.place + ": attribute \"kernel_size\"", "found a window of " + std::to_string(reach) + " over " + std::to_string(w.in[a]) + " padded by " + std::to_string(begin) + " and " + std::to_string(end) + ", expected one that fits");
    out[a] = (ceil_mode ? ceil_divide(slack, stride[i]) : slack / stride[i]) + 1;
    if (ceil_mode && (out[a] - 1) * stride[i] >= w.in[a] + begin) --out[a];  // a window must start inside the input or its begin padding
    w.kernel[a] = kernel[i];
    w.shape.push_back(out[a]);
  }
  std::int64_t taps = 1;
  for (const auto k : kernel)
    if (__builtin_mul_overflow(taps, k, &taps) || taps >= limit) throw Error(layer.place + ": attribute \"kernel_size\"", "found " + to_string(kernel) + ", expected a window of fewer than 2147483648 elements");
  expect_shape(layer, "y", w.shape);
  for (std::size_t a = 0; a < 3; ++a) {
    if (a < 3 - n) { w.axis[a].push_back({}); continue; }
    const std::size_t i = a - (3 - n);
    for (std::int64_t o = 0; o < out[a]; ++o) {
      Taps t;
      t.step = dilation[i];
      t.raw_first = o * stride[i] - padding[i];
      t.raw_count = kernel[i];
      const std::int64_t skipped = t.raw_first < 0 ? ceil_divide(-t.raw_first, t.step) : 0;
      t.first = t.raw_first + skipped * t.step;
      t.count = t.first >= w.in[a] ? 0 : std::min(kernel[i] - skipped, (w.in[a] - 1 - t.first) / t.step + 1);
      t.count = std::max<std::int64_t>(t.count, 0);
      t.padded = std::min(t.raw_first + kernel[i], w.in[a] + padding[n + i]) - t.raw_first;
      w.axis[a].push_back(t);
    }
  }
  return w;
}

Windows adaptive_windows(const Layer& layer, int dims) {
  const auto n = static_cast<std::size_t>(dims);
  const auto size = attribute(layer, "output_size", n, 1, {});
  Windows w = planes_of(layer, dims);
  w.shape.insert(w.shape.end(), size.begin(), size.end());
  expect_shape(layer, "y", w.shape);
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t out = a < 3 - n ? 1 : size[a - (3 - n)];
    for (std::int64_t o = 0; o < out; ++o) {
      // In float32, as ATen divides; exact up to 2^24.
      const float first = static_cast<float>(o * w.in[a]) / static_cast<float>(out), last = static_cast<float>((o + 1) * w.in[a]) / static_cast<float>(out);
      Taps t;
      t.first = t.raw_first = std::clamp<std::int64_t>(to_integer(static_cast<double>(first), Rounding::floor).value, 0, w.in[a] - 1);
      t.count = t.raw_count = t.padded = std::clamp<std::int64_t>(to_integer(static_cast<double>(last), Rounding::ceil).value, t.first + 1, w.in[a]) - t.first;
      w.axis[a].push_back(t);
    }
  }
  return w;
}

std::int64_t window_count(const Windows& w, std::int64_t position) {
  const auto [d, h, x] = w.at(position);
  return d->count * h->count * x->count;
}
std::int64_t window_padded(const Windows& w, std::int64_t position) {
  const auto [d, h, x] = w.at(position);
  return d->padded * h->padded * x->padded;
}

namespace {

template <class Sum, class Number>
std::vector<Sum> sums_of_windows(const Windows& w, const std::vector<Number>& x) {
  std::vector<Sum> sums(static_cast<std::size_t>(w.planes * w.positions()));
  // Windows lie alike in every plane: their places are walked once, where a list of them is short.
  constexpr std::size_t most = std::size_t{1} << 22;
  std::vector<std::int64_t> places;
  std::vector<std::size_t> ends;
  for (std::int64_t p = 0; p < w.positions() && places.size() <= most && w.planes > 1; ++p) {
    for_each_tap(w, p, [&](std::int64_t i) { places.push_back(i); });
    ends.push_back(places.size());
  }
  if (static_cast<std::int64_t>(ends.size()) == w.positions()) {
    for (std::int64_t plane = 0; plane < w.planes; ++plane) {
      const Number* in = x.data() + plane * w.in_positions();
      Sum* out = sums.data() + plane * w.positions();
      std::size_t k = 0;
      for (const std::size_t end : ends) {
        Sum sum = 0;
        for (; k < end; ++k) sum += in[places[k]];
        *out++ = sum;
      }
    }
    return sums;
  }
  for (std::int64_t plane = 0; plane < w.planes; ++plane) {
    const Number* in = x.data() + plane * w.in_positions();
    Sum* out = sums.data() + plane * w.positions();
    for (std::int64_t p = 0; p < w.positions(); ++p) for_each_tap(w, p, [&](std::int64_t i) { out[p] += in[i]; });
  }
  return sums;
}

}  // namespace

std::vector<std::int64_t> window_sums(const Windows& w, const std::vector<std::int32_t>& x) { return sums_of_windows<std::int64_t>(w, x); }
std::vector<float> window_sums(const Windows& w, const std::vector<float>& x) { return sums_of_windows<float>(w, x); }
std::vector<double> window_sums(const Windows& w, const std::vector<double>& x) { return sums_of_windows<double>(w, x); }

void pool_facts(const Layer& layer, int dims, std::set<std::string>& f) {
  if (dims == 3) f.insert("three_axes");
  const Tensor* found = layer.find("x");
  if (!found || !layer.has_out("y") || found->rank() < dims + 1 || layer.out().rank() < dims) return;  // check() says why not
  const Tensor& x = *found;
  bool one_position = true, identity = true, even = true, one_output = true;
  for (int a = 1; a <= dims; ++a) {
    one_position = one_position && x.dim(-a) == 1;
    const std::int64_t out = layer.out().dim(-a);
    one_output = one_output && out == 1;
    identity = identity && x.dim(-a) == out;
    even = even && out > 0 && x.dim(-a) % out == 0;
  }
  if (f.count("memory:NHWC") || (dims <= 2 && x.rank() == dims + 2 && (x.dim(1) == 1 || one_position))) f.insert("channels_last");
  if (const auto it = layer.attributes.values.find("ceil_mode"); it != layer.attributes.values.end() && std::get_if<bool>(&it->second) && std::get<bool>(it->second)) f.insert("ceil_mode");
  if (one_output) f.insert("one_output");
  if (layer.attributes.has("kernel_size")) {  // a window as large as the image, without padding
    const auto kernel = layer.attributes.integers("kernel_size", static_cast<std::size_t>(dims));
    const auto padding = layer.attributes.has("padding") ? layer.attributes.list("padding") : std::vector<std::int64_t>{};
    bool whole = std::all_of(padding.begin(), padding.end(), [](std::int64_t p) { return p == 0; });
    for (int a = 1; a <= dims; ++a) whole = whole && kernel[static_cast<std::size_t>(dims - a)] == x.dim(-a);
    if (whole) f.insert("whole_image");
  }
  if (!f.count("memory:NHWC") || x.dim(-1 - dims) == 1 || one_position) f.insert("contiguous");
  if (identity) f.insert("identity");
  if (even) f.insert("even");
}

std::vector<AttributeSpec> pool_attributes(bool dilation, bool average) {
  std::vector<AttributeSpec> a{{"kernel_size", "integers >= 1, one per spatial axis"},
                               {"stride", "integers >= 1, one per spatial axis (kernel_size)"},
                               {"padding", "integers >= 0, one per spatial axis, or begins then ends (0)"}};
  if (dilation) a.push_back({"dilation", "integers >= 1, one per spatial axis (1)"});
  a.push_back({"ceil_mode", "true, false (false)"});
  if (average) a.insert(a.end(), {{"count_include_pad", "true, false (true)"}, {"divisor_override", "integer != 0 (none)"}});
  a.push_back({"activation", "none, relu, relu6 or {min, max} in the output's integers (none)"});
  return a;
}

}  // namespace lastbit
