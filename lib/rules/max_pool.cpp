// max_pool.cpp: see max_pool.hpp.
//
//   aten/src/ATen/native/quantized/cpu/Pooling.cpp            spatial_dilated_max_pooling
//   aten/src/ATen/native/quantized/cpu/qnnpack/src/indirection.c   pytorch_qnnp_indirection_init_maxpool2d
#include "lib/rules/max_pool.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/kernels/max_bytes.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/window.hpp"

namespace lastbit {
namespace {

template <int dims>
void check(const Layer& layer) {
  check_pool_input(layer, dims);
  pool_windows(layer, dims);
}

template <int dims>
Result run(const Layer& layer, const Cell& cell) {
  const Windows w = pool_windows(layer, dims);
  const std::string outside = cell.get("outside", "skip");
  if (outside != "skip" && outside != "border") throw Error(layer.place, "found the parameter outside = \"" + outside + "\", expected skip or border");
  const auto x = layer.in("x").i32();
  const Range range = activated_range(layer, layer.out());
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(w.shape);
  for (std::int64_t plane = 0; plane < w.planes; ++plane)
    for (std::int64_t p = 0; p < w.positions(); ++p) {
      const std::int32_t* in = x.data() + plane * w.in_positions();
      std::int64_t largest = range.min;
      const auto take = [&](std::int64_t i) { largest = std::max<std::int64_t>(largest, in[i]); };
      if (outside == "border") for_each_border_tap(w, p, take);
      else for_each_tap(w, p, take);
      const auto at = static_cast<std::size_t>(plane * w.positions() + p);
      if (largest > range.max) y.events[at] |= event::clamped;
      y.q[at] = static_cast<std::int32_t>(std::min(largest, range.max));
    }
  return r;
}

/// The largest real value of the window; the least stored one when nothing is inside.
template <int dims>
Real real(const Layer& layer, const Result&) {
  const auto w = std::make_shared<const Windows>(pool_windows(layer, dims));
  const Tensor& x = layer.in("x");
  const Range range = stored_range(x);
  return pointwise(w->planes * w->positions(), [w, &x, range]<class T>(std::int64_t o) -> T {
    std::int64_t largest = range.min;
    const std::int64_t start = o / w->positions() * w->in_positions();
    for_each_tap(*w, o % w->positions(), [&](std::int64_t i) { largest = std::max(largest, x.integer(start + i)); });
    const double zero_point = x.q.zero_point_of(0), scale = x.q.quantized() ? x.q.scale_of(0) : 1.0;
    return T((T(largest) - T(zero_point)) * T(scale));
  });
}

template <int dims>
void facts(const Layer& layer, std::set<std::string>& f) {
  pool_facts(layer, dims, f);
}

template <int dims>
Operator make() {
  return {.name = "max_pool" + std::to_string(dims) + "d",
          .families = {"max_pool"},
          .formula = "y = max over the window of x",
          .inputs = {{"x", "uint8, int8, int16, int32 [(N,) C, spatial]"}},
          .outputs = {{"y", "like x"}},
          .attributes = pool_attributes(true, false),
          .rules = {"max"},
          .spatial = true,
          .check = check<dims>,
          .run = run<dims>,
          .real = real<dims>,
          .row_axes = [](const Layer& layer, const Cell*) { return layer.in("x").shape.size() - dims; },
          .facts = facts<dims>};
}

}  // namespace

namespace {

int dims_of(const Layer& layer) { return layer.op == "max_pool1d" ? 1 : layer.op == "max_pool2d" ? 2 : 3; }

}  // namespace

bool max_pool_ignores_outside(const Layer& layer, const Cell& cell) {
  if (cell.get("outside", "skip") == "skip") return true;
  const Windows w = pool_windows(layer, dims_of(layer));
  for (const auto& axis : w.axis)
    for (const Taps& t : axis)
      if (t.step != 1 || t.count == 0) return false;
  return true;
}

std::optional<std::vector<std::byte>> max_pool_bytes(const Layer& layer, const Cell& cell, const std::byte* x, bool channels_last, std::int64_t& clamped) {
  const int dims = dims_of(layer);
  const DType dtype = layer.in("x").dtype;
  if (info(dtype).bits > 8 || layer.out().dtype != dtype || (channels_last && layer.in("x").rank() != dims + 2) || !max_pool_ignores_outside(layer, cell)) return std::nullopt;
  const Windows w = pool_windows(layer, dims);
  const bool is_signed = info(dtype).min < 0;
  const Range range = activated_range(layer, layer.out());
  const std::int64_t P = w.positions(), I = w.in_positions(), run = channels_last ? w.channels : w.in[2];
  std::vector<std::byte> y(static_cast<std::size_t>(w.planes * P)), row(static_cast<std::size_t>(run));
  const auto least = static_cast<std::byte>(range.min & 0xFF);
  const auto at_least = [is_signed](std::byte a, std::byte b) { return is_signed ? static_cast<std::int8_t>(a) >= static_cast<std::int8_t>(b) : a >= b; };
  if (channels_last) {
    for (std::int64_t n = 0; n < w.planes / std::max<std::int64_t>(w.channels, 1); ++n)
      for (std::int64_t p = 0; p < P; ++p) {
        std::byte* most = y.data() + (n * P + p) * run;
        std::fill_n(most, run, least);
        for_each_tap(w, p, [&](std::int64_t i) { max_bytes(is_signed, most, x + (n * I + i) * run, run); });
      }
  } else {
    const auto wide = static_cast<std::int64_t>(w.axis[2].size());
    for (std::int64_t plane = 0; plane < w.planes; ++plane)
      for (std::int64_t p = 0; p < P; p += wide) {  // one line of outputs: the largest of its rows, then along them
        const auto [d, h, first] = w.at(p);
        std::fill(row.begin(), row.end(), least);
        for (std::int64_t i = 0; i < d->count; ++i)
          for (std::int64_t j = 0; j < h->count; ++j) max_bytes(is_signed, row.data(), x + (plane * I + ((d->first + i * d->step) * w.in[1] + h->first + j * h->step) * w.in[2]), run);
        for (std::int64_t o = 0; o < wide; ++o) {
          const Taps& t = w.axis[2][static_cast<std::size_t>(o)];
          std::byte most = least;
          for (std::int64_t k = 0; k < t.count; ++k) {
            const std::byte v = row[static_cast<std::size_t>(t.first + k * t.step)];
            most = at_least(most, v) ? most : v;
          }
          y[static_cast<std::size_t>(plane * P + p + o)] = most;
        }
      }
  }
  if (range.max < info(dtype).max) {
    const auto most = static_cast<std::byte>(range.max & 0xFF);
    for (auto& v : y)
      if (!at_least(most, v)) v = most, ++clamped;
  }
  return y;
}

Operator max_pool(int dims) { return dims == 1 ? make<1>() : dims == 2 ? make<2>() : make<3>(); }

}  // namespace lastbit
