// weight_scale: per-channel scales of the weight are applied to other channels.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates() || c.layer.in("weight").q.scale.size() < 2) return all;
  const auto add = [&](const char* name, const char* sentence, std::function<std::size_t(std::size_t, std::size_t)> from) {
    all.push_back(suspect(c, name, sentence, {.context = [from](RequantizeContext& context) {
                            const auto before = context.channels;
                            for (std::size_t o = 0; o < before.size(); ++o) context.channels[o]["sw"] = before[from(o, before.size())].at("sw");
                          }}));
  };
  add("weight-scale:per-tensor", "Every channel uses the first channel's weight scale.", [](std::size_t, std::size_t) { return std::size_t{0}; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it.", [](std::size_t o, std::size_t n) { return (o + n - 1) % n; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it; the first keeps its own.", [](std::size_t o, std::size_t) { return o ? o - 1 : 0; });
  // The scales run along the output's last axis (or the input channels) instead of the output channels.
  const std::int64_t P = c.geometry().positions(), channels = c.geometry().groups * c.geometry().out_channels;
  if (c.layer.op.rfind("conv", 0) == 0 && c.layer.in("weight").q.scale.size() > 1) {
    all.push_back({"weight-scale:wrong-axis", "The per-channel scales were applied along the output's last axis instead of its channels.", 10,
                   [&c, P, channels](const std::vector<std::int64_t>& elements) {
                     const std::int64_t width = c.geometry().out[2];
                     Values v;
                     const auto one = [&](std::int64_t i) {
                       Change change;
                       const auto position = static_cast<std::size_t>(i % P % width % channels);
                       change.context = [position](RequantizeContext& context) {
                         const double sw = context.channels[position % context.channels.size()].at("sw");
                         for (auto& names : context.channels) names["sw"] = sw;
                       };
                       return c.changed(change, {i})[0];
                     };
                     if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                     for (const auto i : elements) v.push_back(one(i));
                     return v;
                   },
                   true});
  }
  return all;
}

}  // namespace

Cause weight_scale() { return {"weight-scale", "per-channel weight scales on other channels", {"weight-scale:per-tensor", "weight-scale:shifted", "weight-scale:wrong-axis"}, suspects}; }

}  // namespace lastbit::causes
