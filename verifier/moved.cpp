// moved.cpp: see moved.hpp.
#include "verifier/moved.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lib/rules/max_pool.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit {
namespace {

bool one_in_one_out(const Layer& l) { return l.inputs.size() == 1 && l.find("x") && l.outputs.size() == 1 && l.has_out("y"); }

/// Whether the value itself is what every form gives for it.
bool without_error(const Tensor& x, const Tensor& y) {
  const auto plain = [](const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 8 && t.q.scale.size() == 1 && t.q.group_size == 0; };
  return plain(x) && plain(y) && x.q.scale == y.q.scale && x.q.zero_point == y.q.zero_point;
}

/// None where the exact form has to be computed.
std::optional<Streamed> agreed(const Layer& l, const StreamOptions& options) {
  Streamed s;
  const Tensor& y = l.out();
  const bool exact = without_error(l.in("x"), y);
  if (options.exact && !exact) return std::nullopt;
  if (options.exact) {
    s.exact.histogram.assign(40, 0);
    s.exact.histogram[20] = y.size();  // errors from 0 to 0.05
  }
  if (options.float_form && exact) s.float_form.emplace();
  s.kernel = "bytes";
  s.elements = y.size();
  s.alike.assign(options.rivals.size(), true);
  if (options.open) options.open->assign(options.rivals.size(), false);
  return s;
}

}  // namespace

std::optional<Streamed> judge_moved(const StoredLayer& stored, const Operator& op, const StreamOptions& options) {
  const Layer& l = stored.layer;
  if (!one_in_one_out(l) || !stored.inputs.empty() || !stored.outputs.empty()) return std::nullopt;
  const Tensor &x = l.in("x"), &y = l.out();
  if (x.dtype != y.dtype || x.dtype == DType::float64 || y.size() == 0) return std::nullopt;
  const auto bytes = static_cast<std::size_t>(y.size() * stored_bytes(y.dtype));
  const bool in_place = op.name == "reshape" || op.name == "flatten";
  if (in_place) {
    if (x.size() != y.size() || std::memcmp(x.data, y.data, bytes) != 0) return std::nullopt;
  } else {
    if (op.name != "permute" && op.name != "transpose") return std::nullopt;
    const auto axes = op.name == "permute" ? permute_order(l) : transpose_order(l);
    const Tensor moved = permuted(x, std::vector<int>(axes.begin(), axes.end()));
    if (moved.shape != y.shape || std::memcmp(moved.data, y.data, bytes) != 0) return std::nullopt;
  }
  return agreed(l, options);
}

std::optional<Streamed> judge_max_pool(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const Layer& l = stored.layer;
  if (op.name.rfind("max_pool", 0) != 0 || !one_in_one_out(l)) return std::nullopt;
  const Tensor &x = l.in("x"), &y = l.out();
  const auto in = stored.inputs.find("x"), out = stored.outputs.find("y");
  const bool last = in != stored.inputs.end();
  if (last != (out != stored.outputs.end()) || (last && !(channels_last(x) && channels_last(y)))) return std::nullopt;
  const std::byte *from = last ? in->second : x.data, *observed = last ? out->second : y.data;
  std::int64_t clamped = 0;
  const auto expected = max_pool_bytes(l, cell, from, last, clamped);
  if (!expected || expected->empty() || std::memcmp(expected->data(), observed, expected->size()) != 0) return std::nullopt;
  auto s = agreed(l, options);
  if (!s) return std::nullopt;
  s->events.clamped = clamped;
  if (options.open)
    for (std::size_t k = 0; k < options.rivals.size(); ++k) (*options.open)[k] = !max_pool_ignores_outside(l, options.rivals[k].cell);
  return s;
}

}  // namespace lastbit
