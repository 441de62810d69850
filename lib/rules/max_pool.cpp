// max_pool.cpp: see max_pool.hpp.
//
//   aten/src/ATen/native/quantized/cpu/Pooling.cpp            spatial_dilated_max_pooling
//   aten/src/ATen/native/quantized/cpu/qnnpack/src/indirection.c   pytorch_qnnp_indirection_init_maxpool2d
#include "lib/rules/max_pool.hpp"

#include <algorithm>

#include "lib/error.hpp"
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
          .facts = facts<dims>};
}

}  // namespace

Operator max_pool(int dims) { return dims == 1 ? make<1>() : dims == 2 ? make<2>() : make<3>(); }

}  // namespace lastbit
