// generate.cpp: see generate.hpp.
#include "golden/generate.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "golden/checksum.hpp"
#include "golden/matrix.hpp"
#include "golden/proof.hpp"
#include "golden/solve.hpp"
#include "golden/twin.hpp"
#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {

const Suite& find_suite(const std::string& name) {
  std::string known;
  for (const auto& s : all_suites()) {
    if (s.name == name) return s;
    known += (known.empty() ? "" : ", ") + s.name;
  }
  throw Error("--suite", "found \"" + name + "\", expected one of " + known);
}

Result compute(const Workshop& w, Layer& layer) {
  const Operator& op = *w.op;
  refresh(w, layer);
  const auto store = [&](const Result& r) {
    bool changed = false;
    for (auto& [port, t] : layer.outputs) {
      const auto it = r.outputs.find(port);
      if (it == r.outputs.end()) continue;
      const Computed& c = it->second;
      Tensor fresh = t;
      if (c.chosen) {
        fresh.q.scale = c.chosen->scale, fresh.q.zero_point = c.chosen->zero_point;
        if (c.chosen->axis >= 0) fresh.q.axis = c.chosen->axis;
        if (c.chosen->qmin < c.chosen->qmax) fresh.q.qmin = c.chosen->qmin, fresh.q.qmax = c.chosen->qmax;
      }
      const std::string memory = t.memory_layout;
      if (is_float(t.dtype)) {
        if (static_cast<std::int64_t>(c.f.size()) != t.size()) throw Error(layer.place, "found an output of another type than this arithmetic has, expected --dtype to name it");
        fresh = Tensor::of_floats(t.name, t.shape, c.f);
      } else {
        if (static_cast<std::int64_t>(c.q.size()) != t.size()) throw Error(layer.place, "found an output of another type than this arithmetic has, expected --dtype to name it");
        fresh = Tensor::of_integers(t.name, t.dtype, t.shape, fresh.q, c.q);
      }
      fresh.memory_layout = memory;
      const auto n = static_cast<std::size_t>(t.size() * stored_bytes(t.dtype));
      changed = changed || !std::equal(t.data, t.data + n, fresh.data) || t.q.scale != fresh.q.scale || t.q.zero_point != fresh.q.zero_point;
      t = std::move(fresh);
    }
    refresh(w, layer);
    return changed;
  };
  // An output may be an input of the next step (recurrent layers, qparams chosen at run time): until nothing changes.
  Result r = op.run(layer, cell_of(w, layer));
  for (int round = 0; store(r); ++round) {
    ensure(round < 4096, "a layer's outputs do not settle");
    r = op.run(layer, cell_of(w, layer));
  }
  if (op.check) op.check(layer);
  return r;
}

std::optional<StoredReal> stored_real(const Workshop& w, const Layer& layer, const Result& result) {
  if (!w.op->real || !layer.has_out("y")) return {};
  const Tensor& y = layer.out("y");
  if (is_float(y.dtype) || !y.q.quantized() || y.q.float_zero_point) return {};
  auto real = std::make_shared<Real>(w.op->real(layer, result));
  const auto& filter = real->filter();
  if (static_cast<std::int64_t>(filter.size()) != y.size() || filter.size() != real->bound.size() || !real->exact) return {};
  StoredReal s;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    s.near.push_back(filter[i] / y.scale_at(at) + y.zero_point_at(at));
    s.bound.push_back(real->bound[i] / y.scale_at(at) + std::fabs(s.near.back()) * 0x1p-50 + 0x1p-60);
  }
  s.exact = [real, y](std::int64_t i) { return real->exact(i) / Exact(y.scale_at(i)) + Exact(y.zero_point_at(i)); };
  return s;
}

bool is_half(const StoredReal& s, std::int64_t i) {
  const double v = s.near[static_cast<std::size_t>(i)];
  if (!std::isfinite(v) || std::fabs(v) > 0x1p40) return false;
  if (std::fabs(v - std::floor(v) - 0.5) > s.bound[static_cast<std::size_t>(i)]) return false;
  const Exact twice = s.exact(i) * Exact(2);
  if (!twice.is_point()) return false;
  const std::int64_t whole = twice.floor();
  return (whole & 1) != 0 && !(twice > Exact(whole));
}

std::vector<Reached> reached(const Workshop& w, const std::vector<Layer>& cases) {
  std::vector<Reached> all;
  const auto add = [&](const std::string& what, std::int64_t n) {
    const auto it = std::find_if(all.begin(), all.end(), [&](const Reached& r) { return r.what == what; });
    if (it == all.end()) all.push_back({what, n});
    else it->count += n;
  };
  for (const char* what : {"elements", "exact tie", "tie, negative", "tie, positive", "tie, odd zero point", "tie, even zero point", "one below a tie", "one above a tie", "first clamped", "last not clamped", "clamped", "wrapped", "saturated", "pair saturated", "inexact float", "undefined"}) add(what, 0);
  for (const auto& layer : cases) {
    Layer copy = layer;
    const Cell& cell = cell_of(w, copy);
    const Result r = w.op->run(copy, cell);
    const auto it = r.outputs.find(main_output(layer));
    if (it == r.outputs.end()) continue;
    const Computed& y = it->second;
    const auto n = static_cast<std::int64_t>(std::max(y.q.size(), y.f.size()));
    add("elements", n);
    for (const Events e : y.events) {
      add("clamped", (e & event::clamped) != 0), add("wrapped", (e & event::wrapped) != 0), add("saturated", (e & event::saturated) != 0);
      add("pair saturated", (e & event::pair_saturated) != 0), add("inexact float", (e & event::inexact_float) != 0);
    }
    add("undefined", static_cast<std::int64_t>(y.undefined.size()));
    const auto tie = [&](bool negative, bool odd) {
      add("exact tie", 1), add(negative ? "tie, negative" : "tie, positive", 1), add(odd ? "tie, odd zero point" : "tie, even zero point", 1);
    };
    if (const auto staged = Staged::of(w, copy)) {
      std::vector<std::int64_t> acc;
      std::int64_t channels = 1, positions = 1;
      if (copy.op == "requantize") {
        for (std::int64_t i = 0; i < n; ++i) acc.push_back(copy.in("x").integer(i) - copy.in("x").q.integer_zero_point());
      } else {
        const Geometry g = *accumulation_geometry(copy);
        acc = accumulate_layer(copy, cell, g, read_operands(copy, g)).acc;
        channels = staged->channels(), positions = g.positions();
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t a = acc[static_cast<std::size_t>(i)], c = i / positions % channels;
        const double v = staged->stored(a, c).to_double();
        if (v < static_cast<double>(staged->min()) - 1 || v > static_cast<double>(staged->max()) + 1) continue;
        const auto zo = static_cast<std::int64_t>(staged->names(c).at("zo"));
        if (staged->tie(a, c)) tie(v < static_cast<double>(zo), zo % 2 != 0);
        if (staged->tie(a + 1, c)) add("one below a tie", 1);
        if (staged->tie(a - 1, c)) add("one above a tie", 1);
        Events here = 0, below = 0, above = 0;
        staged->output(a, c, here), staged->output(a - 1, c, below), staged->output(a + 1, c, above);
        if ((here & event::clamped) && !((below & event::clamped) && (above & event::clamped))) add("first clamped", 1);
        if (!(here & event::clamped) && ((below | above) & event::clamped)) add("last not clamped", 1);
      }
    } else if (const auto s = stored_real(w, copy, r)) {
      const auto zo = copy.out("y").q.integer_zero_point();
      const Range range = stored_range(copy.out("y"));
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = s->near[static_cast<std::size_t>(i)];
        if (v < static_cast<double>(range.min) - 1 || v > static_cast<double>(range.max) + 1) continue;
        if (is_half(*s, i)) tie(v < static_cast<double>(zo), zo % 2 != 0);
      }
    }
  }
  all.erase(std::remove_if(all.begin(), all.end(), [](const Reached& r) { return r.count == 0 && r.what != "exact tie" && r.what != "clamped"; }), all.end());
  return all;
}

namespace {

/// benchdnn's MISTRUSTED: vectors that could hardly fail.
std::vector<std::string> weaknesses(const Vectors& v) {
  std::vector<std::string> all;
  std::int64_t elements = 0, clamped = 0;
  std::set<double> outputs;
  bool rounds = false, copies = true;
  for (std::size_t k = 0; k < v.cases.size(); ++k) {
    const Layer& layer = v.cases[k];
    const Tensor& y = layer.out(main_output(layer));
    elements += y.size();
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const double value = y.value(i);
      outputs.insert(value);
      if (!is_float(y.dtype)) clamped += y.q.quantized() && (y.integer(i) == y.q.qmin || y.integer(i) == y.q.qmax);
    }
    rounds = rounds || !v.cells[k].stages.empty();
    copies = copies && (v.cells[k].rule == "copy" || v.cells[k].rule == "max");
  }
  if (elements < 16) all.push_back("only " + std::to_string(elements) + " elements");
  if (outputs.size() < 8 && elements >= 8) all.push_back("only " + std::to_string(outputs.size()) + " distinct outputs");
  if (elements && clamped * 2 > elements && v.request.suite != "clamp") all.push_back("mostly clamped: " + std::to_string(clamped) + " of " + std::to_string(elements) + " outputs lie at an end of the range");
  const auto count_of = [&](const char* what) {
    for (const auto& r : v.reached)
      if (r.what == what) return r.count;
    return std::int64_t{0};
  };
  const bool integers = !v.cases.empty() && !is_float(v.cases[0].out(main_output(v.cases[0])).dtype);
  if (integers && !copies && count_of("exact tie") == 0) all.push_back("no tie: rules that round ties differently look alike");
  return all;
}

}  // namespace

Vectors generate(const VectorRequest& asked, bool weigh) {
  const Suite& suite = find_suite(asked.suite);
  const Workshop w = open_workshop(asked);
  Vectors v;
  v.request = w.request;
  v.op = w.op;
  v.profile = w.profile;
  v.label = profile_label(*w.profile, w.isa);
  if (w.request.profile.find(".json") != std::string::npos) v.label = w.request.profile;
  Draft draft = suite.make(w);
  v.notes = std::move(draft.notes);
  std::int64_t bounded = 0, judged = 0;
  bool moves = true;
  for (auto& layer : draft.cases) {
    const Result r = compute(w, layer);
    const Cell& cell = cell_of(w, layer);
    const TwinResult twin = check_twin(layer, *w.op, cell, r);
    judged += twin.elements, bounded += twin.bounded;
    moves = moves && (cell.rule == "copy" || cell.rule == "max");
    v.cells.push_back(cell);
    const auto it = r.outputs.find(main_output(layer));
    v.events.push_back(it == r.outputs.end() ? std::vector<Events>() : it->second.events);
    v.cases.push_back(std::move(layer));
  }
  std::string by_rules;
  std::set<std::string> named;
  for (const auto& cell : v.cells)
    if (named.insert(cell.rule).second) by_rules += (by_rules.empty() ? "\"" : ", \"") + cell.rule + "\"";
  if (judged) v.notes.push_back("twin: " + std::to_string(judged) + " elements computed a second time in rational numbers, step by step; all agree");
  if (bounded) v.notes.push_back("twin: " + (moves ? std::to_string(bounded) + " elements are inputs, moved or chosen, as the operator's definition says" : "none of the rule " + by_rules + " for " + std::to_string(bounded) + " elements: they lie where their exact real value, and a step more, puts them"));
  if (!judged && !bounded) v.notes.push_back("twin: none of the rule " + by_rules + ", and no real value: the outputs are the profile's alone");
  std::optional<AccumulatorBounds> sums;
  for (std::size_t k = 0; k < v.cases.size(); ++k)
    if (const auto b = accumulator_bounds(v.cases[k], *w.op, v.cells[k])) sums = sums ? AccumulatorBounds{std::min(sums->min, b->min), std::max(sums->max, b->max)} : *b;
  if (sums) v.notes.push_back("over all inputs sums lie in " + std::to_string(sums->min) + " to " + std::to_string(sums->max) + ": registers of " + std::to_string(std::max(bits_of(sums->min), bits_of(sums->max))) + " bits and more hold every one");
  v.reached = reached(w, v.cases);
  for (const auto& promise : draft.promises)
    if (std::none_of(v.reached.begin(), v.reached.end(), [&](const Reached& r) { return r.what == promise && r.count > 0; }))
      throw InternalError("the suite " + asked.suite + " promised \"" + promise + "\" and reached none");
  v.checksum = checksum(v.cases);
  if (!weigh) return v;
  const AllRules rules = all_rules(w, v.cases);
  v.matrix = discriminate(rules);
  std::int64_t elements = 0;
  for (const auto& values : rules.expected) elements += static_cast<std::int64_t>(values.size());
  if (asked.suite == "exhaustive") {  // the suite is its own proof
    for (std::size_t k = 0; k < v.matrix.kinds.size(); ++k) {
      RuleKind& kind = v.matrix.kinds[k];
      Agreement whole{kind.rules, "proved: equal on the whole domain of this suite, all " + std::to_string(elements) + " elements"};
      if (k == 0) whole.rules.insert(whole.rules.begin(), the_profile);
      if (whole.rules.size() > 1) kind.why = {std::move(whole)};
    }
  } else {
    prove(w, rules, v.cases, std::max(elements, draft.candidates), v.matrix);
  }
  v.mistrusted = weaknesses(v);
  return v;
}

}  // namespace lastbit
