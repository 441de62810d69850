// recurrent.cpp: see recurrent.hpp.
#include "lib/rules/amx.hpp"
#include "lib/rules/recurrent.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/rules/dynamic.hpp"
#include "lib/rules/gates.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/unordered_sum.hpp"

namespace lastbit {
namespace {

void expect_input(const Layer& layer, const std::string& port, const Shape& shape, bool leading_one = false) {
  const Tensor& t = layer.in(port);
  Shape with_one = shape;
  with_one.insert(with_one.begin(), 1);
  if (!is_float(t.dtype) || (t.shape != shape && !(leading_one && t.shape == with_one)))
    throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t.dtype)) + " " + to_string(t.shape) + ", expected floats " + to_string(shape));
}

// ---- gates alone -----------------------------------------------------------------------------------------------------

template <bool lstm>
void check_gates(const Layer& layer) {
  const Tensor& state = layer.in(lstm ? "c" : "h");
  if (state.rank() < 1) throw Error(layer.place, "found a state without axes, expected [..., H]");
  Shape gates = state.shape;
  gates.back() *= lstm ? 4 : 3;
  for (const char* port : {"ih", "hh"}) expect_input(layer, port, gates);
  for (const char* port : {"h_out", "c_out"}) expect_shape(layer, port, state.shape);
}

template <bool lstm>
Result run_gates(const Layer& layer, const Cell&) {
  const Tensor& state = layer.in(lstm ? "c" : "h");
  const auto ih = layer.in("ih").f32(), hh = layer.in("hh").f32(), before = state.f32();
  const std::int64_t H = state.dim(-1), gates = lstm ? 4 : 3;
  Result r;
  r.kernel = "float";
  Computed& h = r.outputs["h_out"] = float_output(state.shape);
  if (lstm) r.outputs["c_out"] = float_output(state.shape);
  for (std::int64_t i = 0; i < state.size(); ++i) {
    const auto gate = [&](const std::vector<float>& v, std::int64_t k) { return v[static_cast<std::size_t>((i / H * gates + k) * H + i % H)]; };
    const auto sum = [&](std::int64_t k) { return gate(ih, k) + gate(hh, k); };
    const float s = before[static_cast<std::size_t>(i)];
    if constexpr (lstm) {
      const LstmStep step = lstm_step(sum(0), sum(1), sum(2), sum(3), {s, s});
      put(h, i, step.h);
      put(r.outputs["c_out"], i, step.c);
    } else {
      put(h, i, gru_step(sum(0), sum(1), gate(ih, 2), gate(hh, 2), s));
    }
  }
  return r;
}

// ---- whole layers ----------------------------------------------------------------------------------------------------

struct Sizes {
  std::int64_t T, N, I, H;
  bool batch_first;
  Shape y() const { return batch_first ? Shape{N, T, H} : Shape{T, N, H}; }
  /// Element (t, n, k) of a sequence of rows of length `width`.
  std::size_t at(std::int64_t t, std::int64_t n, std::int64_t k, std::int64_t width) const {
    return static_cast<std::size_t>(((batch_first ? n * T + t : t * N + n)) * width + k);
  }
};

Sizes sizes_of(const Layer& layer, std::int64_t gates) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight_hh");
  if (x.rank() != 3 || w.rank() != 2) throw Error(layer.place, "found x " + to_string(x.shape) + " and weight_hh " + to_string(w.shape) + ", expected 3 and 2 axes");
  const bool batch_first = layer.attributes.boolean("batch_first", false);
  Sizes s{x.dim(batch_first ? 1 : 0), x.dim(batch_first ? 0 : 1), x.dim(2), w.dim(1), batch_first};
  if (w.dim(0) != gates * s.H || layer.in("weight_ih").shape != Shape{gates * s.H, s.I})
    throw Error(layer.place, "found the weights " + to_string(layer.in("weight_ih").shape) + " and " + to_string(w.shape) + ", expected [" + std::to_string(gates) + "H, I] and [" + std::to_string(gates) + "H, H]");
  return s;
}

template <bool lstm>
void check_layer(const Layer& layer) {
  const Sizes s = sizes_of(layer, lstm ? 4 : 3);
  expect_input(layer, "x", layer.in("x").shape);
  expect_input(layer, "h", {s.N, s.H}, true);
  if (lstm) expect_input(layer, "c", {s.N, s.H}, true);
  for (const char* port : {"bias_ih", "bias_hh"})
    if (layer.find(port)) expect_input(layer, port, {(lstm ? 4 : 3) * s.H});
  for (const char* port : {"weight_ih", "weight_hh"})
    if (is_float(layer.in(port).dtype)) throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(layer.in(port).dtype)) + ", expected an integer type");
  if (!layer.has_out("y")) throw Error(layer.place, "found no output \"y\", expected one: every step starts from the one before");
  expect_shape(layer, "y", s.y());
  expect_shape(layer, "h_n", layer.in("h").shape);
  if (lstm) expect_shape(layer, "c_n", layer.in("c").shape);
}

/// One linear_dynamic: rows of x times a weight of the layer; of the first `rows` alone where they are fewer.
RecurrentLinear linear_of(const Layer& layer, const Cell& cell, const Tensor& x, const std::string& weight, const std::string& bias, std::optional<std::int64_t> rows = {}) {
  Layer part;
  part.name = layer.name, part.op = "linear_dynamic", part.place = layer.place, part.producer = layer.producer, part.facts = layer.facts;
  if (layer.attributes.has("reduce_range")) part.attributes.values["reduce_range"] = layer.attributes.boolean("reduce_range");
  part.attributes.place = layer.place;
  part.inputs = {{"x", x}, {"weight", layer.in(weight)}};
  if (layer.find(bias)) part.inputs["bias"] = layer.in(bias);
  DynamicInput quantized = quantize_dynamic_input(part, cell, x);
  Shape shape = x.shape;
  if (rows && x.dim(-1) > 0 && *rows * x.dim(-1) < x.size()) {
    shape = {*rows, x.dim(-1)};
    quantized.q.resize(static_cast<std::size_t>(count(shape)));
    part.inputs["x"] = Tensor::of_floats(x.name, shape, std::vector<float>(quantized.q.size()));
  }
  shape.back() = layer.in(weight).dim(0);
  part.outputs["y"] = Tensor::of_floats("y", shape, std::vector<float>(static_cast<std::size_t>(count(shape))));
  Layer plain = static_layer(part, quantized, part.op);
  const Geometry g = linear_geometry(plain);
  AccumulationInput operands = read_operands(plain, g);
  return {std::move(plain), cell.with.count("product") && amx_takes(g) ? with_product(cell) : cell, g, std::move(operands)};
}

std::vector<float> results(const RecurrentLinear& l) { return run_accumulation(l.layer, l.cell, l.geometry, l.operands, l.layer.out().shape).outputs.at("y").f; }

RecurrentLinear linear_of_x(const Layer& layer, const Cell& cell, std::optional<std::int64_t> rows = {}) { return linear_of(layer, cell, layer.in("x"), "weight_ih", "bias_ih", rows); }
RecurrentLinear linear_of_h(const Layer& layer, const Cell& cell, const Sizes& s, const std::vector<float>& hidden) {
  return linear_of(layer, cell, Tensor::of_floats("h", {s.N, s.H}, hidden), "weight_hh", "bias_hh");
}

/// The hidden state before a step, as the runtime wrote it.
std::vector<float> hidden_before(const Layer& layer, const Sizes& s, std::int64_t step) {
  auto hidden = layer.in("h").f32();
  if (step == 0) return hidden;
  const auto observed = layer.out().f32();
  for (std::int64_t n = 0; n < s.N; ++n)
    for (std::int64_t k = 0; k < s.H; ++k) hidden[static_cast<std::size_t>(n * s.H + k)] = observed[s.at(step - 1, n, k, s.H)];
  return hidden;
}

using Ranges = std::vector<std::pair<std::size_t, FloatRange>>;     // of elements of y

/// The first `steps` steps: what they write to y, and what is handed on after the last.
template <bool lstm>
Ranges run_steps(const Layer& layer, const Cell& cell, const Sizes& s, std::int64_t steps, std::vector<FloatRange>& at_end, std::vector<FloatRange>& memory) {
  const std::int64_t G = (lstm ? 4 : 3) * s.H;
  const bool in_order = !s.batch_first || s.N == 1;                 // rows of a step lie together, those of the first step first
  const auto ih = results(linear_of_x(layer, cell, in_order ? std::optional(steps * s.N) : std::nullopt));
  auto hidden = layer.in("h").f32();
  if (lstm) for (const float c : layer.in("c").f32()) memory.push_back({c, c});
  for (const float h : hidden) at_end.push_back({h, h});
  Ranges all;
  for (std::int64_t t = 0; t < steps; ++t) {
    const auto hh = results(linear_of_h(layer, cell, s, hidden));
    for (std::int64_t n = 0; n < s.N; ++n)
      for (std::int64_t k = 0; k < s.H; ++k) {
        const auto i = static_cast<std::size_t>(n * s.H + k);
        const auto input = [&](std::int64_t gate) { return ih[s.at(t, n, gate * s.H + k, G)]; };
        const auto state = [&](std::int64_t gate) { return hh[static_cast<std::size_t>(n * G + gate * s.H + k)]; };
        const auto sum = [&](std::int64_t gate) { return input(gate) + state(gate); };
        if constexpr (lstm) {
          const LstmStep step = lstm_step(sum(0), sum(1), sum(2), sum(3), memory[i]);
          memory[i] = step.c;
          at_end[i] = step.h;
        } else {
          at_end[i] = gru_step(sum(0), sum(1), input(2), state(2), hidden[i]);
        }
        all.emplace_back(s.at(t, n, k, s.H), at_end[i]);
      }
    if (t + 1 < steps) hidden = hidden_before(layer, s, t + 1);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return all;
}

template <bool lstm>
Result run_layer(const Layer& layer, const Cell& cell) {
  const Sizes s = sizes_of(layer, lstm ? 4 : 3);
  Result r;
  r.kernel = "float";
  Computed& y = r.outputs["y"] = float_output(s.y());
  Computed last = float_output(layer.in("h").shape), last_c = last;
  std::vector<FloatRange> at_end, memory;
  for (const auto& [i, range] : run_steps<lstm>(layer, cell, s, s.T, at_end, memory)) put(y, static_cast<std::int64_t>(i), range);
  for (std::size_t i = 0; i < at_end.size(); ++i) put(last, static_cast<std::int64_t>(i), at_end[i]);
  r.outputs["h_n"] = std::move(last);
  if (lstm) {
    for (std::size_t i = 0; i < memory.size(); ++i) put(last_c, static_cast<std::int64_t>(i), memory[i]);
    r.outputs["c_n"] = std::move(last_c);
  }
  return r;
}

// ---- one element ------------------------------------------------------------------------------------------------------

void finish(RecurrentElement& e, bool lstm) {
  const auto sum = [&](std::size_t gate) { return e.input[gate] + e.hidden[gate]; };
  if (!lstm) {
    e.h = gru_step(sum(0), sum(1), e.input[2], e.hidden[2], e.h_before);
    return;
  }
  const LstmStep step = lstm_step(sum(0), sum(1), sum(2), sum(3), e.c_before);
  e.c = step.c, e.h = step.h;
}

RecurrentElement element_of_gates(const Layer& layer, bool lstm, std::int64_t i) {
  const Tensor& state = layer.in(lstm ? "c" : "h");
  const std::int64_t H = state.dim(-1), gates = lstm ? 4 : 3;
  RecurrentElement e;
  e.row = i / H, e.unit = i % H;
  const auto ih = layer.in("ih").f32(), hh = layer.in("hh").f32();
  for (std::int64_t k = 0; k < gates; ++k) {
    const auto at = static_cast<std::size_t>((e.row * gates + k) * H + e.unit);
    e.input.push_back(ih[at]), e.hidden.push_back(hh[at]);
  }
  const float before = state.f32()[static_cast<std::size_t>(i)];
  if (lstm) e.c_before = {before, before};
  else e.h_before = before;
  finish(e, lstm);
  return e;
}

RecurrentElement element_of_layer(const Layer& layer, const Cell& cell, bool lstm, const std::string& output, std::int64_t i) {
  const std::int64_t gates = lstm ? 4 : 3;
  const Sizes s = sizes_of(layer, gates);
  if (s.T == 0) throw Error(layer.place, "found no steps, expected at least one");
  RecurrentElement e;
  const std::int64_t outer = i / s.H;
  e.unit = i % s.H;
  if (output == "y") e.step = s.batch_first ? outer % s.T : outer / s.N, e.row = s.batch_first ? outer / s.T : outer % s.N;
  else e.step = s.T - 1, e.row = outer;
  e.input_row = static_cast<std::int64_t>(s.at(e.step, e.row, 0, 1));
  const auto ih = results(linear_of_x(layer, cell));
  const auto at = static_cast<std::size_t>(e.row * s.H + e.unit);
  if (lstm) {
    const float c = layer.in("c").f32()[at];
    e.c = {c, c};
  }
  for (std::int64_t t = lstm ? 0 : e.step; t <= e.step; ++t) {  // the cell state is not written: it comes from the steps before
    const auto hidden = hidden_before(layer, s, t);
    const auto hh = results(linear_of_h(layer, cell, s, hidden));
    e.input.clear(), e.hidden.clear();
    for (std::int64_t k = 0; k < gates; ++k) {
      e.input.push_back(ih[s.at(t, e.row, k * s.H + e.unit, gates * s.H)]);
      e.hidden.push_back(hh[static_cast<std::size_t>(e.row * gates * s.H + k * s.H + e.unit)]);
    }
    e.c_before = e.c, e.h_before = hidden[at];
    finish(e, lstm);
  }
  return e;
}

void layer_facts(const Layer& layer, std::set<std::string>& f) {
  if (layer.find("bias_ih")) f.insert("bias");
  const auto& q = layer.in("weight_ih").q;
  if (q.axis >= 0 || q.scale.size() > 1) f.insert("per_channel");
}

}  // namespace

RecurrentLinear recurrent_linear(const Layer& layer, const Cell& cell, std::optional<std::int64_t> step) {
  if (!step) return linear_of_x(layer, cell);
  const Sizes s = sizes_of(layer, layer.op == "lstm_dynamic" ? 4 : 3);
  return linear_of_h(layer, cell, s, hidden_before(layer, s, *step));
}

std::vector<std::pair<std::size_t, FloatRange>> recurrent_first_step(const Layer& layer, const Cell& cell) {
  const bool lstm = layer.op == "lstm_dynamic";
  const Sizes s = sizes_of(layer, lstm ? 4 : 3);
  std::vector<FloatRange> at_end, memory;
  const std::int64_t steps = std::min<std::int64_t>(s.T, 1);
  return lstm ? run_steps<true>(layer, cell, s, steps, at_end, memory) : run_steps<false>(layer, cell, s, steps, at_end, memory);
}

RecurrentElement recurrent_element(const Layer& layer, const Cell& cell, const std::string& output, std::int64_t element) {
  const bool lstm = layer.op.rfind("lstm", 0) == 0;
  return layer.op.ends_with("_gates") ? element_of_gates(layer, lstm, element) : element_of_layer(layer, cell, lstm, output, element);
}

Operator recurrent_layer(bool lstm) {
  Operator op{.name = lstm ? "lstm_dynamic" : "gru_dynamic",
              .families = {"recurrent"},
              .formula = lstm ? "per step: i, f, g, o = linear_dynamic(x) + linear_dynamic(h); c = sigmoid(f) * c + sigmoid(i) * tanh(g); h = sigmoid(o) * tanh(c)"
                              : "per step: r, z = sigmoid(linear_dynamic(x) + linear_dynamic(h)); n = tanh(xn + r * hn); h = (h - n) * z + n",
              .inputs = {{"x", "float32 [T, N, I]"}, {"h", "float32 [1, N, H] or [N, H]"}, {"weight_ih", "int8 [gates * H, I]"}, {"weight_hh", "int8 [gates * H, H]"}, {"bias_ih", "float32 [gates * H]", true}, {"bias_hh", "float32 [gates * H]", true}},
              .outputs = {{"y", "float32 [T, N, H]"}, {"h_n", "like h", true}},
              .attributes = {{"reduce_range", "true or false"}, {"batch_first", "true or false: x and y are [N, T, ...]"}},
              .rules = {"per_step"},
              .check = lstm ? check_layer<true> : check_layer<false>,
              .run = lstm ? run_layer<true> : run_layer<false>,
              .real = nullptr,
              .facts = layer_facts};
  if (lstm) op.inputs.insert(op.inputs.begin() + 2, {"c", "like h"}), op.outputs.push_back({"c_n", "like c", true});
  return op;
}

Operator recurrent_gates(bool lstm) {
  Operator op{.name = lstm ? "lstm_gates" : "gru_gates",
              .families = {},
              .formula = lstm ? "i, f, g, o = ih + hh; c_out = sigmoid(f) * c + sigmoid(i) * tanh(g); h_out = sigmoid(o) * tanh(c_out)"
                              : "r, z = sigmoid(ih + hh); n = tanh(ih_n + r * hh_n); h_out = (h - n) * z + n",
              .inputs = {{"ih", "float32 [..., gates * H]"}, {"hh", "like ih"}, {lstm ? "c" : "h", "float32 [..., H]"}},
              .outputs = {{"h_out", "float32 [..., H]", true}},
              .attributes = {},
              .rules = {"ranges"},
              .check = lstm ? check_gates<true> : check_gates<false>,
              .run = lstm ? run_gates<true> : run_gates<false>,
              .real = nullptr};
  if (lstm) op.outputs.push_back({"c_out", "like c", true});
  return op;
}

}  // namespace lastbit
