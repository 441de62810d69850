// elementwise.cpp: operators of one element, or of two that broadcast.
#include <algorithm>

#include "tests/oracle/oracle.hpp"

namespace lastbit::oracle {
namespace {

const Big one = 1;

Big sigmoid(const Big& x) { return one / (one + exp(-x)); }
Big clamped(const Big& x, const Big& lo, const Big& hi) { return x < lo ? lo : x > hi ? hi : x; }
Big number(const Layer& l, const char* key, double otherwise) { return Big(l.attributes.number(key, otherwise)); }
Big pi() { return acos(Big(-1)); }

/// NumPy's broadcasting: axes are counted from the last, an extent of 1 is every place.
Big broadcast(const Tensor& t, const Shape& shape, std::int64_t i) {
  const Shape place = coordinates(shape, i);
  Shape own(t.shape.size());
  for (std::size_t a = 0; a < own.size(); ++a) own[a] = t.shape[a] == 1 ? 0 : place[place.size() - own.size() + a];
  return at(t, position(t.shape, own));
}

Definition of(Big (*f)(const Big&)) {
  return [f](const Layer& l, const Result&, std::int64_t i) { return f(at(l.in("x"), i)); };
}
Definition with(Big (*f)(const Layer&, const Big&)) {
  return [f](const Layer& l, const Result&, std::int64_t i) { return f(l, at(l.in("x"), i)); };
}
Definition both(Big (*f)(const Big&, const Big&)) {
  return [f](const Layer& l, const Result&, std::int64_t i) { return f(broadcast(l.in("a"), l.out().shape, i), broadcast(l.in("b"), l.out().shape, i)); };
}

Big elu(const Big& x, const Big& alpha, const Big& scale, const Big& input_scale) { return x > 0 ? Big(x * scale) : Big((exp(x * input_scale) - 1) * alpha * scale); }

}  // namespace

Definitions elementwise() {
  return {
      {"add", both([](const Big& a, const Big& b) { return Big(a + b); })},
      {"sub", both([](const Big& a, const Big& b) { return Big(a - b); })},
      {"mul", both([](const Big& a, const Big& b) { return Big(a * b); })},
      {"relu", of([](const Big& x) { return x > 0 ? x : Big(0); })},
      {"relu6", of([](const Big& x) { return clamped(x, 0, 6); })},
      {"hardsigmoid", of([](const Big& x) { return Big(clamped(x + 3, 0, 6) / 6); })},
      {"hardswish", of([](const Big& x) { return Big(x * clamped(x + 3, 0, 6) / 6); })},
      {"sigmoid", of(sigmoid)},
      {"tanh", of([](const Big& x) { return Big(tanh(x)); })},
      {"clamp", with([](const Layer& l, const Big& x) {
         Big y = x;
         if (l.attributes.has("min") && y < number(l, "min", 0)) y = number(l, "min", 0);
         if (l.attributes.has("max") && y > number(l, "max", 0)) y = number(l, "max", 0);
         return y;
       })},
      {"hardtanh", with([](const Layer& l, const Big& x) { return clamped(x, number(l, "min_val", -1), number(l, "max_val", 1)); })},
      {"leaky_relu", with([](const Layer& l, const Big& x) { return x > 0 ? x : Big(x * number(l, "negative_slope", 0.01)); })},
      {"threshold", with([](const Layer& l, const Big& x) { return x > number(l, "threshold", 0) ? x : number(l, "value", 0); })},
      {"elu", with([](const Layer& l, const Big& x) { return elu(x, number(l, "alpha", 1), number(l, "scale", 1), number(l, "input_scale", 1)); })},
      {"celu", with([](const Layer& l, const Big& x) { return elu(x, number(l, "alpha", 1), 1, 1 / number(l, "alpha", 1)); })},
      {"gelu", with([](const Layer& l, const Big& x) {
         if (l.attributes.text("approximate", "none") == "none") return Big(x / 2 * (1 + erf(Big(x / sqrt(Big(2))))));
         return Big(x / 2 * (1 + tanh(Big(sqrt(2 / pi()) * (x + Big("0.044715") * x * x * x)))));
       })},
      {"prelu", [](const Layer& l, const Result&, std::int64_t i) {
         const Tensor &x = l.in("x"), &w = l.in("weight");
         const Big v = at(x, i);
         if (v > 0) return v;
         const bool channels = w.rank() == 1 && x.rank() > 1;
         return Big(v * (channels ? at(w, w.size() == 1 ? 0 : coordinates(x.shape, i)[1]) : broadcast(w, x.shape, i)));
       }},
      {"quantize", of([](const Big& x) { return x; })},
      {"dequantize", of([](const Big& x) { return x; })},
      {"requantize", of([](const Big& x) { return x; })},
      {"quantize_dynamic", of([](const Big& x) { return x; })},
      {"mul_scalar", [](const Layer& l, const Result&, std::int64_t i) { return Big(at(l.in("a"), i) * number(l, "other", 0)); }},
      {"add_scalar", [](const Layer& l, const Result&, std::int64_t i) { return Big(at(l.in("a"), i) + number(l, "other", 0)); }},
      {"cat", [](const Layer& l, const Result&, std::int64_t i) {
         Shape place = coordinates(l.out().shape, i);
         const std::int64_t rank = l.out().rank(), dim = l.attributes.integer("dim", 0);
         auto& along = place[static_cast<std::size_t>(dim < 0 ? dim + rank : dim)];
         for (int k = 0;; ++k) {
           const Tensor& x = l.in("x" + std::to_string(k));
           const std::int64_t size = x.dim(dim);
           if (along < size) return at(x, position(x.shape, place));
           along -= size;
         }
       }},
      {"pad", [](const Layer& l, const Result&, std::int64_t i) {
         const Tensor& x = l.in("x");
         const auto pad = l.attributes.list("pad");
         const std::string mode = l.attributes.text("mode", "constant");
         Shape place = coordinates(l.out().shape, i);
         for (std::size_t k = 0; 2 * k < pad.size(); ++k) {
           const std::size_t a = place.size() - 1 - k;
           std::int64_t p = place[a] - pad[2 * k];
           const std::int64_t n = x.shape[a];
           if (p < 0 || p >= n) {
             if (mode == "constant") return number(l, "value", 0);
             if (mode == "reflect") p = p < 0 ? -p : 2 * n - 2 - p;
             else if (mode == "replicate") p = std::clamp<std::int64_t>(p, 0, n - 1);
             else p = (p + n) % n;
           }
           place[a] = p;
         }
         return at(x, position(x.shape, place));
       }},
      {"upsample_bilinear2d", [](const Layer& l, const Result&, std::int64_t i) {
         const Tensor& x = l.in("x");
         const Shape place = coordinates(l.out().shape, i);
         const bool align = l.attributes.boolean("align_corners", false);
         std::int64_t first[2], second[2];
         Big weight[2];
         for (std::size_t a = 0; a < 2; ++a) {
           const std::int64_t in = x.shape[2 + a], out = l.out().shape[2 + a], o = place[2 + a];
           Big source = 0;
           if (align) source = out > 1 ? Big(Big(o * (in - 1)) / (out - 1)) : Big(0);
           else {
             Big step = Big(in) / out;
             if (l.attributes.has("scales")) {
               const auto scales = l.attributes.numbers("scales");
               step = 1 / Big(scales.size() == 1 ? scales[0] : scales[a]);
             }
             source = (o + Big(0.5)) * step - Big(0.5);
             if (source < 0) source = 0;
           }
           first[a] = std::min(static_cast<std::int64_t>(floor(source)), in - 1);
           second[a] = std::min(first[a] + 1, in - 1);
           weight[a] = source - first[a];
         }
         const auto p = [&](std::int64_t h, std::int64_t w) { return at(x, position(x.shape, {place[0], place[1], h, w})); };
         const Big top = (1 - weight[1]) * p(first[0], first[1]) + weight[1] * p(first[0], second[1]);
         const Big bottom = (1 - weight[1]) * p(second[0], first[1]) + weight[1] * p(second[0], second[1]);
         return Big((1 - weight[0]) * top + weight[0] * bottom);
       }},
  };
}

}  // namespace lastbit::oracle
