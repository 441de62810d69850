// offset: codes of one signedness were read as the other, off by 128.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

Tensor moved(const Tensor& t, std::int32_t by) {
  auto v = t.i32();
  const auto& range = info(t.dtype);
  for (auto& q : v) {
    q += by;
    if (q > range.max) q -= 256;
    if (q < range.min) q += 256;
  }
  Tensor r = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, v);
  r.memory_layout = t.memory_layout;
  r.stored_axes = t.stored_axes;
  return r;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  for (const auto& [port, t] : c.layer.inputs) {
    if (is_float(t.dtype) || info(t.dtype).bits != 8 || (port == "weight" && !c.accumulates())) continue;
    Layer other = c.layer;
    other.inputs.at(port) = moved(t, 128);
    all.push_back(rerun_suspect(c, "offset:128", "The codes of \"" + port + "\" were read 128 off (signed as unsigned, or the other way).", other));
  }
  if (!is_float(c.observed.dtype) && info(c.observed.dtype).bits == 8) {
    all.push_back({"offset:128", "The output's codes are 128 off (signed as unsigned, or the other way).", 10, [&c](const std::vector<std::int64_t>& elements) {
                     Values v;
                     const auto& range = info(c.observed.dtype);
                     const auto one = [&](std::int64_t i) {
                       const double q = c.expected_value(i) + 128;
                       return q > static_cast<double>(range.max) ? q - 256 : q;
                     };
                     if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                     for (const auto i : elements) v.push_back(one(i));
                     return v;
                   }});
  }
  return all;
}

}  // namespace

Cause offset() { return {"offset", "codes read 128 off", {"offset:128"}, suspects}; }

}  // namespace lastbit::causes
