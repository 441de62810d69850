// weight_scale: per-channel scales of the weight are applied to other channels.
#include <algorithm>

#include "lib/num/round.hpp"
#include "verifier/altered.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

/// The scale of every element's channel replaced by another channel's, which depends on the element.
Suspect by_element(const Case& c, std::string sentence, std::function<std::int64_t(std::int64_t)> channel) {
  constexpr std::int64_t together = 1024;
  return {"weight-scale:wrong-axis", std::move(sentence), 10,
          [&c, channel](const std::vector<std::int64_t>& elements) {
            const std::int64_t n = elements.empty() ? c.size() : static_cast<std::int64_t>(elements.size());
            const RequantizeContext own = c.context_of({});
            const auto names_of = [&](std::int64_t o) -> const Names& { return own.channels[static_cast<std::size_t>(o) % own.channels.size()]; };
            Values v;
            for (std::int64_t first = 0; first < n; first += together) {
              RequantizeContext each = own;  // an entry for every element in place of one for every channel
              each.channels.clear();
              std::vector<std::int64_t> some;
              for (std::int64_t k = first; k < std::min(n, first + together); ++k) {
                some.push_back(elements.empty() ? k : elements[static_cast<std::size_t>(k)]);
                each.channels.push_back(names_of(c.channel_of(some.back())));
                each.channels.back()["sw"] = names_of(channel(some.back())).at("sw");
              }
              StageBinder bind(std::move(each), c.layer.place);
              const Finisher finisher = c.bound(c.stages_of({}), bind);
              for (std::size_t k = 0; k < some.size(); ++k) v.push_back(c.finished(finisher, c.accumulators()[static_cast<std::size_t>(some[k])], static_cast<std::int64_t>(k), some[k]));
            }
            return v;
          },
          true};
}

/// Scales along the input channels, inside the sum: y = round(sum_c (sum of products of c) * si * sw[c] / so + bias / so) + zo.
Suspect along_inputs(const Case& c) {
  return {"weight-scale:wrong-axis", "The per-channel scales were applied along the weight's input channels, inside the sum.", 10,
          [&c](const std::vector<std::int64_t>& elements) {
            const RequantizeContext context = requantize_context(c.base(), c.cell, c.numbers(), c.channels(), c.right_port());
            std::vector<double> scale;
            for (const Names& names : context.channels) scale.push_back(names.at("sw"));
            Values v;
            const auto one = [&](std::int64_t i) {
              double sum = 0;
              c.products(i, [&](std::int64_t, std::int64_t channel, std::int64_t x, std::int64_t w, bool) { sum += static_cast<double>(x * w) * scale[static_cast<std::size_t>(channel)]; });
              const auto& names = context.channels[static_cast<std::size_t>(c.channel_of(i))];
              const double si = names.at("si"), so = names.at("so"), bias = context.has_bias ? names.at("bias") * (c.has_float_bias() ? 1.0 : names.at("sb")) : 0.0;
              const double scaled = std::clamp((sum * si + bias) / so, -0x1p60, 0x1p60);
              return static_cast<double>(std::clamp(rne(scaled) + static_cast<std::int64_t>(names.at("zo")), context.min, context.max));
            };
            if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
            for (const auto i : elements) v.push_back(one(i));
            return v;
          },
          true};
}

/// Layers that are run anew: scales of channels (rows of a table), or of groups of weights within them, [O, G].
std::vector<Suspect> of_runs(const Case& c) {
  std::vector<Suspect> all;
  const auto ports = weight_ports(c);
  using Taken = std::function<std::int64_t(std::int64_t o, std::int64_t g, std::int64_t O, std::int64_t G)>;  // whose scale stands for that of o, g
  const auto add = [&](const char* name, const char* sentence, const Taken& from, int rank = 10) {
    add_edited(c, all, ports, name, sentence, [&from](const Tensor& t) {
      Tensor r = t;
      const auto n = static_cast<std::int64_t>(t.q.scale.size());
      const std::int64_t G = t.q.group_size > 0 ? (t.dim(-1) + t.q.group_size - 1) / t.q.group_size : 1, O = n / std::max<std::int64_t>(G, 1);
      if (n < 2 || O * G != n) return r;
      for (std::int64_t i = 0; i < n; ++i) r.q.scale[static_cast<std::size_t>(i)] = t.q.scale_of(from(i / G, i % G, O, G));
      return r;
    }, rank);
  };
  using I = std::int64_t;
  add("weight-scale:per-tensor", "Every channel uses the first channel's weight scale.", [](I, I g, I, I) { return g; });
  add("weight-scale:per-tensor", "Every group of a channel uses the channel's first scale.", [](I o, I, I, I G) { return o * G; });
  add("weight-scale:per-tensor", "Every weight uses the first scale.", [](I, I, I, I) { return I{0}; }, 11);
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it.", [](I o, I g, I O, I G) { return (o + O - 1) % O * G + g; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it; the first keeps its own.", [](I o, I g, I, I G) { return std::max<I>(o - 1, 0) * G + g; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel after it.", [](I o, I g, I O, I G) { return (o + 1) % O * G + g; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel after it; the last keeps its own.", [](I o, I g, I O, I G) { return std::min(o + 1, O - 1) * G + g; });
  if (std::none_of(ports.begin(), ports.end(), [&](const auto& port) { return c.layer.in(port).q.group_size > 0; })) return all;
  add("weight-scale:shifted", "Every group uses the scale of the group before it.", [](I o, I g, I, I G) { return o * G + (g + G - 1) % G; });
  add("weight-scale:shifted", "Every group uses the scale of the group before it; the first of a channel keeps its own.", [](I o, I g, I, I G) { return o * G + std::max<I>(g - 1, 0); });
  add("weight-scale:shifted", "Every group uses the scale of the group after it.", [](I o, I g, I, I G) { return o * G + (g + 1) % G; });
  add("weight-scale:shifted", "Every group uses the scale of the group after it; the last of a channel keeps its own.", [](I o, I g, I, I G) { return o * G + std::min(g + 1, G - 1); });
  add("weight-scale:shifted", "Every group uses the scale before its own in memory.", [](I o, I g, I O, I G) { return (o * G + g + O * G - 1) % (O * G); }, 11);
  add("weight-scale:shifted", "Every group uses the scale after its own in memory.", [](I o, I g, I O, I G) { return (o * G + g + 1) % (O * G); }, 11);
  add("weight-scale:wrong-axis", "The scales of channels and groups were read with groups first.", [](I o, I g, I O, I) { return g * O + o; });
  add("weight-scale:wrong-axis", "The scales, groups first in memory, were read with channels first.", [](I o, I g, I O, I G) { return (o * G + g) % O * G + (o * G + g) / O; });
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) return of_runs(c);
  if (c.right().q.scale.size() < 2) return all;
  const auto add = [&](const char* name, const char* sentence, std::function<std::size_t(std::size_t, std::size_t)> from) {
    all.push_back(suspect(c, name, sentence, {.context = [from](RequantizeContext& context) {
                            const auto before = context.channels;
                            for (std::size_t o = 0; o < before.size(); ++o) context.channels[o]["sw"] = before[from(o, before.size())].at("sw");
                          }, .across_channels = true}));
  };
  add("weight-scale:per-tensor", "Every channel uses the first channel's weight scale.", [](std::size_t, std::size_t) { return std::size_t{0}; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it.", [](std::size_t o, std::size_t n) { return (o + n - 1) % n; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel before it; the first keeps its own.", [](std::size_t o, std::size_t) { return o ? o - 1 : 0; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel after it.", [](std::size_t o, std::size_t n) { return (o + 1) % n; });
  add("weight-scale:shifted", "Every channel uses the weight scale of the channel after it; the last keeps its own.", [](std::size_t o, std::size_t n) { return std::min(o + 1, n - 1); });
  // The scales run along another axis of the output than its channels, or along the input channels.
  const std::int64_t P = c.layer.op == "matmul" ? 1 : c.geometry().positions(), channels = c.channels(), width = c.geometry().out[2], height = c.geometry().out[1];
  if (P > 1) all.push_back(by_element(c, "The per-channel scales were applied along the output's last axis instead of its channels.", [=](std::int64_t i) { return i % P % width % channels; }));
  if (P > width) all.push_back(by_element(c, "The per-channel scales were applied along the output's rows instead of its channels.", [=](std::int64_t i) { return i % P / width % height % channels; }));
  if (P == 1) all.push_back(by_element(c, "The per-channel scales were applied along the output's rows instead of its columns.", [=](std::int64_t i) { return i / channels % channels; }));
  if (c.geometry().in_channels == channels && !is_float(c.observed.dtype)) all.push_back(along_inputs(c));
  return all;
}

}  // namespace

Cause weight_scale() { return {"weight-scale", "per-channel weight scales on other channels", {"weight-scale:per-tensor", "weight-scale:shifted", "weight-scale:wrong-axis"}, suspects}; }

}  // namespace lastbit::causes
