// input: the layer read another tensor of the dump, one off in the graph. Tensors of the nearest layers are tried first.
#include <algorithm>
#include <optional>
#include <set>

#include "lib/error.hpp"
#include "lib/num/round.hpp"
#include "verifier/altered.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t most_run = 12, most_summed = 32;  // tensors tried for a port: by whole runs, or by the sums of some elements

/// Names of the tensors of the dump's layers, those of the nearest before and after this one first; each once.
std::vector<std::string> by_distance(const Case& c) {
  const auto& layers = c.dump.layers();
  const auto own = std::find_if(layers.begin(), layers.end(), [&](const LayerEntry& e) { return e.name == c.entry.name; }) - layers.begin();
  std::vector<std::string> names;
  std::set<std::string> seen;
  const auto add = [&](std::ptrdiff_t at) {
    if (at < 0 || at >= static_cast<std::ptrdiff_t>(layers.size())) return;
    const LayerEntry& e = layers[static_cast<std::size_t>(at)];
    for (const auto* ports : {&e.outputs, &e.inputs})
      for (const auto& [port, tensor] : *ports)
        if (seen.insert(tensor).second) names.push_back(tensor);
  };
  for (std::ptrdiff_t distance = 0; distance < static_cast<std::ptrdiff_t>(layers.size()); ++distance) {
    add(own - distance);
    if (distance) add(own + distance);
  }
  return names;
}

/// relu and its kin hand on codes, so that x and y have one scale and zero point. Fed with codes of another scale, the values that
/// they stand for, stored as y says.
std::optional<Suspect> by_values(const Case& c, const std::string& name, const std::string& sentence, const Layer& layer) {
  const auto &y = c.observed.q, &x = c.layer.in("x").q;
  if (!c.op.real || c.port != "y" || !y.quantized() || y.float_zero_point || x.scale != y.scale || x.zero_point != y.zero_point) return std::nullopt;
  return Suspect{name, sentence, 21,
                 [&c, layer](const std::vector<std::int64_t>& elements) {
                   Values v;
                   const Real real = c.op.real(layer, {});
                   if (static_cast<std::int64_t>(real.f64.size()) != c.size()) return v;
                   const Range range = activated_range(layer, c.observed);
                   const auto one = [&](std::int64_t i) {
                     const double scaled = std::clamp(real.f64[static_cast<std::size_t>(i)] / c.observed.scale_at(i), -0x1p60, 0x1p60);
                     return static_cast<double>(std::clamp(rne(scaled) + static_cast<std::int64_t>(c.observed.zero_point_at(i)), range.min, range.max));
                   };
                   if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                   for (const auto i : elements) v.push_back(one(i));
                   return v;
                 },
                 true};
}

/// The operands with this layer's tensor in a port that the sums are over.
OtherOperands operands_with(const Case& c, const std::string& port, const Layer& layer) {
  const Tensor& t = layer.in(port);
  OtherOperands::Readings r;
  if (c.layer.op == "matmul") {
    const auto made = std::make_shared<std::optional<AccumulationInput>>();
    const bool left = port == c.left_port();
    const auto number = [&c, made, layer, left](std::int64_t i) {
      if (!*made) *made = c.product_of(layer);
      return (left ? (*made)->x : (*made)->w)[static_cast<std::size_t>(i)];
    };
    (left ? r.x : r.w).number = number;
    if (!left) {
      const std::int64_t N = c.geometry().out_channels;
      r.w_zero_point.emplace();
      for (std::int64_t n = 0; n < c.geometry().groups * N; ++n) r.w_zero_point->push_back(t.q.integer_zero_point(n % N));
      return r;
    }
  } else {
    r.x.number = [t](std::int64_t i) { return static_cast<std::int32_t>(t.integer(i)); };
  }
  r.x_zero_point = t.q.integer_zero_point();
  r.x_scale = t.q.quantized() ? t.q.scale_of(0) : 1;
  return r;
}

/// Ports that earlier layers feed: x, what cat joins (x0, x1, ...), both operands, states and sums of recurrent layers, a table's rows.
bool is_activation(const std::string& port) {
  static const std::set<std::string> ports{"x", "a", "b", "h", "c", "ih", "hh", "indices"};
  return ports.count(port) > 0 || (port.size() > 1 && port[0] == 'x' && std::all_of(port.begin() + 1, port.end(), [](char d) { return d >= '0' && d <= '9'; }));
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  std::vector<Suspect> aliases;
  const std::vector<std::string> names = by_distance(c);
  for (const auto& [port, name] : c.entry.inputs) {
    if (!is_activation(port)) continue;
    const Tensor& own = c.layer.in(port);
    const bool sums = c.sums_over(port) && &c.base() == &c.layer;
    std::size_t tried = 0;
    std::vector<std::pair<Tensor, std::size_t>> distinct;           // and where the suspects that read it begin
    for (const auto& tensor : names) {
      if (tried >= (sums ? most_summed : most_run)) break;
      if (tensor == name || tensor == c.entry.outputs.at(c.port) || c.dump.tensors().at(tensor).dtype != own.dtype) continue;
      Tensor t;
      try {
        LayerEntry as = c.entry;
        as.inputs[port] = tensor;
        t = c.dump.bind(as).in(port);
      } catch (const Error&) {
        continue;
      }
      if (t.shape != own.shape || same_tensor(t, own)) continue;
      const std::string sentence = "The layer read tensor \"" + tensor + "\" instead of \"" + name + "\" as " + port;
      // The same numbers under another name cost nothing: nobody can tell which of the two was read.
      if (const auto twin = std::find_if(distinct.begin(), distinct.end(), [&](const auto& d) { return same_tensor(d.first, t); }); twin != distinct.end()) {
        const std::size_t end = twin + 1 == distinct.end() ? all.size() : (twin + 1)->second;
        for (std::size_t k = twin->second; k < end; ++k) {
          Suspect same = all[k];
          same.sentence = sentence + same.sentence.substr(same.sentence.find(" as " + port) + 4 + port.size());
          same.name = "input:" + tensor;
          aliases.push_back(std::move(same));
        }
        continue;
      }
      distinct.emplace_back(t, all.size());
      ++tried;
      Layer with_own_qparams = c.layer;
      with_own_qparams.inputs.at(port) = t;
      Layer with_declared = with_own_qparams;
      with_declared.inputs.at(port).q = own.q;
      const auto add = [&](const std::string& words, const Layer& layer) {
        const bool other_multiplier = port == "b" && layer.in(port).q.scale != own.q.scale;  // operands alone know a's scale
        all.push_back(sums && !other_multiplier ? suspect(c, "input:" + tensor, sentence + words, {.input = operands_with(c, port, layer)}, 20) : rerun_suspect(c, "input:" + tensor, sentence + words, layer, 20));
      };
      add(", with the qparams of \"" + name + "\".", with_declared);
      if (t.q.quantized() && (t.q.scale != own.q.scale || t.q.zero_point != own.q.zero_point)) {
        add(", with its own qparams.", with_own_qparams);
        if (port == "x" && !c.accumulates() && !is_float(c.observed.dtype))
          if (auto s = by_values(c, "input:" + tensor, sentence + ": its values, stored as the output is.", with_own_qparams)) all.push_back(std::move(*s));
      }
    }
  }
  std::move(aliases.begin(), aliases.end(), std::back_inserter(all));
  return all;
}

}  // namespace

Cause input() { return {"input", "another tensor of the dump was read", {"input:<tensor>"}, suspects}; }

}  // namespace lastbit::causes
