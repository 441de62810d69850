// offset: codes of one signedness were read as the other, off by 128.
#include <algorithm>

#include "verifier/altered.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::int32_t moved_code(std::int32_t q, std::int32_t by, const DTypeInfo& range) {
  const std::int32_t codes = 1 << range.bits;
  q += by;
  if (q > range.max) q -= codes;
  if (q < range.min) q += codes;
  return q;
}

Tensor moved(const Tensor& t, std::int32_t by) {
  if (info(t.dtype).bits == 8 && by == 128) {  // one bit of the byte
    Tensor r = t;
    const auto bytes = std::make_shared<std::vector<std::byte>>(t.data, t.data + t.size());
    for (auto& b : *bytes) b ^= std::byte{128};
    r.data = bytes->data();
    r.owner = bytes;
    return r;
  }
  auto v = t.i32();
  for (auto& q : v) q = moved_code(q, by, info(t.dtype));
  Tensor r = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, v);
  r.memory_layout = t.memory_layout;
  r.stored_axes = t.stored_axes;
  return r;
}

/// A reading of the left or the right operand alone.
OtherOperands of_side(bool left, Reading r) { return left ? OtherOperands({.x = std::move(r)}) : OtherOperands({.w = std::move(r)}); }

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  const auto weights = weight_ports(c);
  if (weights.size() > 1)
    add_edited(c, all, weights, "offset:128", "The weight's codes were read 128 off (signed as unsigned, or the other way).", [](const Tensor& t) { return info(t.dtype).bits == 8 ? moved(t, 128) : t; });
  for (const auto& [port, t] : c.layer.inputs) {
    if (weights.size() > 1 && std::find(weights.begin(), weights.end(), port) != weights.end()) continue;
    if (c.accumulates() && port == "x" && is_float(t.dtype)) continue;
    if (is_float(t.dtype) || info(t.dtype).bits > 16 || info(t.dtype).bits < 8 || port == "bias") continue;
    const std::int32_t half = info(t.dtype).bits == 8 ? 128 : 32768;
    const auto add = [&, &name = port, &tensor = t](std::int32_t by, const std::string& more) {
      const std::string sentence = "The codes of \"" + name + "\" were read " + std::to_string(by) + " off" + more;
      const Reading off{.value = [by, type = info(tensor.dtype)](std::int32_t q) { return moved_code(q, by, type); }};
      if (c.sums_over(name)) return all.push_back(suspect(c, "offset:128", sentence, {.input = of_side(name == c.left_port(), off)}));
      Layer other = c.layer;
      other.inputs.at(name) = moved(tensor, by);
      all.push_back(rerun_suspect(c, "offset:128", sentence, std::move(other)));
    };
    add(half, " (signed as unsigned, or the other way).");
    if (half != 128) add(128, ".");
  }
  if (c.accumulates())
    for (const bool left : {true, false}) {
      if (info((left ? c.left() : c.right()).dtype).bits != 8) continue;
      for (const std::int32_t by : {128, -128})  // codes moved without wrapping: a zero point that was not moved with them
        all.push_back(suspect(c, "offset:128", "The codes of \"" + (left ? c.left_port() : c.right_port()) + "\" are " + std::to_string(by) + " more than its zero point allows for (signed taken for unsigned, or the other way).",
                              {.input = of_side(left, {.value = [by](std::int32_t q) { return q + by; }})}));
    }
  if (is_float(c.observed.dtype) || info(c.observed.dtype).bits < 8 || info(c.observed.dtype).bits > 16) return all;
  const std::int64_t codes = std::int64_t{1} << info(c.observed.dtype).bits;
  for (const std::int64_t by : codes == 256 ? std::vector<std::int64_t>{128} : std::vector<std::int64_t>{128, -128, 32768})
    all.push_back({"offset:128", "The output's codes are " + std::to_string(by) + " off (signed as unsigned, or the other way).", 10, [&c, by, codes](const std::vector<std::int64_t>& elements) {
                     Values v;
                     const auto& range = info(c.observed.dtype);
                     const auto one = [&](std::int64_t i) {
                       double q = c.expected_value(i) + static_cast<double>(by);
                       if (q > static_cast<double>(range.max)) q -= static_cast<double>(codes);
                       if (q < static_cast<double>(range.min)) q += static_cast<double>(codes);
                       return q;
                     };
                     if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                     for (const auto i : elements) v.push_back(one(i));
                     return v;
                   }});
  return all;
}

}  // namespace

Cause offset() { return {"offset", "codes read 128 off", {"offset:128"}, suspects}; }

}  // namespace lastbit::causes
