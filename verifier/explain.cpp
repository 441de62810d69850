// explain.cpp: see explain.hpp.
#include "verifier/explain.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "lib/rules/pairs.hpp"
#include "verifier/cause.hpp"
#include "verifier/explain_recurrent.hpp"
#include "verifier/forms.hpp"
#include "verifier/read_elements.hpp"

namespace lastbit {
namespace {

std::string number(double v) {
  std::array<char, 40> b{};
  const auto r = std::to_chars(b.data(), b.data() + b.size(), v);
  return {b.data(), r.ptr};
}

Explanation::Line exact_line(std::string name, const Exact& v) {
  return {std::move(name), v.decimal(12), v.is_point() ? v.fraction() : "irrational"};
}

/// Element of the tensor (in its own axes) from an index in the stored axes.
std::int64_t element_at(const Layer& layer, const Tensor& t, const std::vector<std::int64_t>& at) {
  const auto wrong = [&] {
    std::string s;
    for (const auto v : at) s += (s.empty() ? "" : ",") + std::to_string(v);
    Shape stored(t.shape.size());
    for (std::size_t a = 0; a < stored.size(); ++a) stored[t.stored_axes.empty() ? a : static_cast<std::size_t>(t.stored_axes[a])] = t.shape[a];
    return Error(layer.place + ": --at", "found " + s + ", expected an index into the shape " + to_string(stored));
  };
  if (at.size() == 1 && t.shape.size() != 1) {  // a flat index
    if (at[0] < 0 || at[0] >= t.size()) throw wrong();
    return at[0];
  }
  if (at.size() != t.shape.size()) throw wrong();
  std::int64_t i = 0;
  for (std::size_t a = 0; a < t.shape.size(); ++a) {
    const std::int64_t v = at[t.stored_axes.empty() ? a : static_cast<std::size_t>(t.stored_axes[a])];
    if (v < 0 || v >= t.shape[a]) throw wrong();
    i = i * t.shape[a] + v;
  }
  return i;
}

void explain_accumulation(const Case& c, std::int64_t i, std::size_t most, Explanation& e) {
  const Geometry& g = c.geometry();
  const AccumulationInput& in = c.input();
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  const std::int64_t channel = c.channel_of(i), wz = operands.wz(channel);
  std::vector<Explanation::Product> all;
  std::int64_t raw = 0, sum_x = 0, sum_w = 0, sum = 0, inside = 0;
  c.products(i, [&](std::int64_t t, std::int64_t ch, std::int64_t x, std::int64_t w, bool outside) {
    if (outside) return;
    const std::int64_t xr = x + in.x_zero_point, wr = w + wz;
    raw += xr * wr, sum_x += xr, sum_w += wr, sum += x * w, ++inside;
    std::string at = "channel " + std::to_string(ch);
    if (g.taps() > 1) at += ", tap " + (g.kernel[0] > 1 ? std::to_string(t / g.kernel[2] / g.kernel[1]) + "," : "") + std::to_string(t / g.kernel[2] % g.kernel[1]) + "," + std::to_string(t % g.kernel[2]);
    all.push_back({at, xr, wr, x, w, x * w});
  });
  e.terms = static_cast<std::int64_t>(all.size());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return std::abs(a.product) > std::abs(b.product); });
  if (all.size() > most) all.resize(most);
  e.products = std::move(all);
  const auto line = [](std::string name, std::int64_t v) { return Explanation::Line{std::move(name), std::to_string(v), ""}; };
  e.accumulation = {line("sum x*w over " + std::to_string(inside) + " terms", raw), line("- zx*sum w", -in.x_zero_point * sum_w), line("- zw*sum x", -wz * sum_x),
                    line("+ K*zx*zw", inside * in.x_zero_point * wz), line("= sum (x-zx)*(w-zw)", sum)};
  const std::int64_t acc = c.accumulators()[static_cast<std::size_t>(i)];
  if (acc != sum) e.accumulation.push_back(line("in the profile's registers", acc));
  std::vector<std::int64_t> places;
  const Requantizer requantize = c.finisher_of({}, std::vector<std::int64_t>(static_cast<std::size_t>(c.channels())), places).stages;
  const auto& channels = requantize.context().channels;
  const auto& names = channels.size() == 1 ? channels[0] : channels[static_cast<std::size_t>(channel)];
  for (std::size_t slot = 0; slot < Names::none; ++slot)
    if (const double value = names.value(slot); names.has(slot) && (Names::known[slot] != "alpha" || value != 1)) e.quantities.push_back({std::string(Names::known[slot]), number(value), Exact(value).fraction()});
  if (requantize.with_bias(acc, channel) != acc) e.accumulation.push_back(line("with the integer bias", requantize.with_bias(acc, channel)));
  for (const auto& step : c.trace(acc, i)) {
    const auto cut = step.value.find(" = ");
    e.stages.push_back({step.stage, step.value.substr(0, cut), cut == std::string::npos ? "" : step.value.substr(cut + 3)});
  }
}

/// Of a pool or a mean: the elements it reads, the largest first, and their sum.
void explain_elements(const Layer& layer, std::int64_t i, std::size_t most, Explanation& e) {
  const auto read = read_elements(layer, i);
  if (!read || is_float(layer.in("x").dtype)) return;
  const Tensor& x = layer.in("x");
  const std::int64_t zx = x.q.integer_zero_point();
  std::vector<std::int64_t> order = read->of_x;
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) { return std::abs(x.integer(a) - zx) > std::abs(x.integer(b) - zx); });
  std::int64_t sum = 0, largest = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t at : order) sum += x.integer(at), largest = std::max(largest, x.integer(at));
  for (std::size_t k = 0; k < std::min(order.size(), most); ++k) {
    std::string place;
    for (const auto v : stored_index(x, order[k])) place += (place.empty() ? "" : ",") + std::to_string(v);
    const std::int64_t q = x.integer(order[k]);
    e.accumulation.push_back({"x[" + place + "]", std::to_string(q) + " (- zx = " + std::to_string(q - zx) + ")", ""});
  }
  const auto n = static_cast<std::int64_t>(order.size());
  e.terms = n;
  const auto line = [&](std::string name, std::int64_t v) { e.accumulation.push_back({std::move(name), std::to_string(v), ""}); };
  if (layer.op.find("max") != std::string::npos) {
    if (n) line("= largest of " + std::to_string(n) + " elements", largest);
    return;
  }
  line("= sum of x over " + std::to_string(n) + " elements", sum);
  line("= sum of x - zx", sum - n * zx);
  if (read->padded != n) line("places of the window, padding included", read->padded);
}

}  // namespace

Explanation explain(const ExplainOptions& options) {
  const Dump dump = Dump::open(options.dump);
  const LayerEntry& entry = find_layer(dump, options.layer);
  const ChosenProfile chosen = choose_profile(dump, entry, options.profile);
  const Operator* op = find_operator(entry.op);
  if (const auto why = obstacle(entry, chosen, op); !why.empty()) throw Error(dump.name() + ": layer " + entry.name, "found a layer that cannot be checked (" + why + "), expected one that can");
  Layer bound = bind_layer(dump, entry, chosen.isa);
  const Cell* cell = cell_for(*chosen.profile, *op, bound);
  if (!cell) throw Error(dump.name() + ": layer " + entry.name, "found no arithmetic for " + entry.op + " in profile " + chosen.label + ", expected one");
  const Evaluated ev = evaluate(std::move(bound), *op, *cell);
  if (!ev.compared.count(options.output)) throw Error(dump.name() + ": layer " + entry.name + ": output \"" + options.output + "\"", "found nothing to compare, expected a dumped output");
  const Tensor& y = ev.layer.out(options.output);
  const std::int64_t i = element_at(ev.layer, y, options.at);
  const Computed& computed = ev.result.outputs.at(options.output);
  const Case c(dump, entry, ev.layer, *op, *chosen.profile, *cell, computed, options.output, ev.compared.at(options.output));

  Explanation e;
  e.layer = entry.name;
  e.op = entry.op;
  e.profile = chosen.label;
  e.rule = cell->rule;
  for (const auto v : stored_index(y, i)) e.place += (e.place.empty() ? "" : ",") + std::to_string(v);
  e.expected = is_float(y.dtype) ? shortest(static_cast<float>(c.expected_value(i))) : std::to_string(static_cast<std::int64_t>(c.expected_value(i)));
  e.observed = is_float(y.dtype) ? shortest(static_cast<float>(c.observed_value(i))) : std::to_string(static_cast<std::int64_t>(c.observed_value(i)));
  e.lsb = lsb_error(computed, y, i);
  const auto open = std::lower_bound(computed.undefined.begin(), computed.undefined.end(), i, [](const Interval& u, std::int64_t at) { return u.index < at; });
  if (open != computed.undefined.end() && open->index == i) {
    const auto end = [&](double v) { return is_float(y.dtype) ? shortest(static_cast<float>(v)) : std::to_string(static_cast<std::int64_t>(v)); };
    e.expected = end(open->lo) + " to " + end(open->hi);
    if (c.observed_value(i) >= open->lo && c.observed_value(i) <= open->hi) e.lsb = 0;
  }
  if (c.accumulates()) explain_accumulation(c, i, options.products, e);
  else if (is_recurrent(ev.layer)) explain_recurrent(ev.layer, *cell, options.output, i, options.products, e);
  else {
    for (const auto& [port, t] : ev.layer.inputs)
      if (t.shape == y.shape) e.quantities.push_back({port + " here", is_float(t.dtype) ? shortest(static_cast<float>(t.value(i))) : std::to_string(t.integer(i)), ""});
    for (const auto& [port, t] : ev.layer.inputs)
      if (t.q.quantized()) e.quantities.push_back({port + " scale, zero point", number(t.scale_at(std::min(i, std::max<std::int64_t>(t.size() - 1, 0)))) + ", " + number(t.zero_point_at(std::min(i, std::max<std::int64_t>(t.size() - 1, 0)))), ""});
    if (y.q.quantized()) e.quantities.push_back({"y scale, zero point", number(y.scale_at(i)) + ", " + number(y.zero_point_at(i)), ""});
    if (options.output == "y") explain_elements(ev.layer, i, options.products, e);
    for (const auto& [key, value] : cell->with) e.stages.push_back({key, value, ""});
  }
  if (op->real && options.output == "y") {
    const Real real = op->real(ev.layer, ev.result);
    if (const auto at = static_cast<std::size_t>(i); !real.f32.empty() && real.exact && std::isfinite(real.filter()[at])) {
      e.by_hand = {{"float32: real value", shortest(real.f32[at]), ""}, {"float64: real value", number(real.f64[at]), ""}};
      if (!is_float(y.dtype)) {
        const double so = y.scale_at(i), zo = y.zero_point_at(i);
        const Range range = activated_range(ev.layer, y);
        const auto quantized = [&](double v) { return std::to_string(std::clamp(rne(std::clamp(v, -0x1p60, 0x1p60)) + static_cast<std::int64_t>(zo), range.min, range.max)); };
        e.by_hand.push_back({"float32 / scale, rounded, + zero point", quantized(static_cast<double>(real.f32[at] / static_cast<float>(so))), ""});
        e.by_hand.push_back({"float64 / scale, rounded, + zero point", quantized(real.f64[at] / so), ""});
        const Exact value = real.exact(i) / Exact(so) + Exact(zo);
        e.exact.push_back(exact_line("value before rounding", value));
        e.exact.push_back(exact_line("distance to the nearest rounding boundary in LSB", value - (Exact(value.floor()) + Exact(0.5))));
      } else {
        e.exact.push_back(exact_line("real value", real.exact(i)));
      }
    }
  }
  for (const auto& rival : rivals(ev.layer, *op)) {
    std::string value;
    try {
      const auto same = [&](const char* key) { return rival.cell.get(key, "none") == cell->get(key, "none"); };
      const bool stages_alone = c.is_plain() && rival.cell.rule == "accumulate" && same("accumulator") && same("bound"), sum_alike = same("pairs") && same("pair_order") && same("pair_offset") && same("pair_beyond") && same("kernels");
      Values v;
      if (stages_alone && (sum_alike || (same("register") && same("bounds")))) {
        Change change{.stages = rival.cell.stages};
        if (!sum_alike)
          change.sum = [&](std::int64_t element) { return c.sum_at(rival.cell, {}, pair_segments(rival.layer, rival.cell, c.geometry()), element); };
        v = c.changed(change, {i});
      } else {
        v = c.rerun(rival.layer, rival.cell, {i});
      }
      if (v.empty()) continue;
      value = is_float(y.dtype) ? shortest(static_cast<float>(v[0])) : std::to_string(static_cast<std::int64_t>(v[0]));
    } catch (const Error&) {
      continue;
    }
    std::string labels = rival.label;
    for (const auto& l : rival.alike) labels += ", " + l;
    e.others.push_back({labels, value, ""});
  }
  return e;
}

std::string to_text(const Explanation& e) {
  std::string s = e.layer + " (" + e.op + ", " + e.profile + ") at " + e.place + ": expected " + e.expected + ", observed " + e.observed + (e.lsb ? ", " + std::string(e.lsb > 0 ? "+" : "") + std::to_string(e.lsb) + " LSB" : e.expected == e.observed ? ", equal" : ", within") + "\n";
  const auto section = [&](const std::string& title, const std::vector<Explanation::Line>& lines) {
    if (lines.empty()) return;
    s += "\n" + title + "\n";
    std::size_t width = 0;
    for (const auto& l : lines) width = std::max(width, std::min<std::size_t>(l.name.size(), 44));
    for (const auto& l : lines) {
      s += "  " + l.name + std::string(l.name.size() < width ? width - l.name.size() : 0, ' ') + "  " + l.value;
      if (!l.fraction.empty() && l.fraction != l.value) s += l.fraction.size() + l.value.size() + width > 70 ? "\n" + std::string(width + 4, ' ') + "= " + l.fraction : " = " + l.fraction;
      s += "\n";
    }
  };
  section("quantities", e.quantities);
  if (!e.products.empty()) {
    s += "\nproducts (" + std::to_string(e.products.size()) + " of " + std::to_string(e.terms) + ", largest first)\n";
    for (const auto& p : e.products)
      s += "  " + p.at + ": (" + std::to_string(p.x) + " - " + std::to_string(p.x - p.x_centred) + ") * (" + std::to_string(p.w) + " - " + std::to_string(p.w - p.w_centred) + ") = " + std::to_string(p.product) + "\n";
  }
  section("accumulator", e.accumulation);
  section("rule " + e.rule + ", stage by stage", e.stages);
  section("by hand, in floating point", e.by_hand);
  section("exact", e.exact);
  if (!e.others.empty()) s += "\nwhat every profile would give\n";
  for (const auto& o : e.others) {  // the value first: the names of profiles that compute alike may be many
    std::string row = "  " + o.value + std::string(o.value.size() < 8 ? 8 - o.value.size() : 1, ' ');
    std::size_t column = row.size();
    for (std::size_t from = 0; from < o.name.size();) {
      const std::size_t to = std::min(o.name.find(' ', from), o.name.size());
      const std::string word = o.name.substr(from, to - from);
      if (column + word.size() > 79) row += "\n          ", column = 10;
      row += word + (to < o.name.size() ? " " : "");
      column += word.size() + 1;
      from = to + 1;
    }
    s += row + "\n";
  }
  return s;
}

std::string to_json(const Explanation& e) {
  using Json = nlohmann::ordered_json;
  const auto lines = [](const std::vector<Explanation::Line>& v) {
    Json j = Json::array();
    for (const auto& l : v) j.push_back(l.fraction.empty() ? Json{{"name", l.name}, {"value", l.value}} : Json{{"name", l.name}, {"value", l.value}, {"fraction", l.fraction}});
    return j;
  };
  Json products = Json::array();
  for (const auto& p : e.products) products.push_back({{"at", p.at}, {"x", p.x}, {"w", p.w}, {"x_centred", p.x_centred}, {"w_centred", p.w_centred}, {"product", p.product}});
  const Json j{{"layer", e.layer}, {"op", e.op}, {"profile", e.profile}, {"at", e.place}, {"expected", e.expected}, {"observed", e.observed}, {"lsb", e.lsb}, {"terms", e.terms}, {"rule", e.rule},
               {"quantities", lines(e.quantities)}, {"products", products}, {"accumulator", lines(e.accumulation)}, {"stages", lines(e.stages)}, {"by_hand", lines(e.by_hand)}, {"exact", lines(e.exact)}, {"profiles", lines(e.others)}};
  return j.dump(1) + "\n";
}

}  // namespace lastbit
