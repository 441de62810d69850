// explain_test.cpp: what explain shows of pools, means and recurrent layers adds up to the exact value and to what was observed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "tests/support.hpp"
#include "verifier/explain.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("the elements that a pool or a mean reads add up to its exact value", "[explain]") {
  const std::string path = (fs::path(LASTBIT_TEST_DATA) / "operators" / "pytorch-2.13-fbgemm-avx512_vnni").string();
  const Dump dump = Dump::open(path);
  std::map<std::string, int> seen;
  int padded = 0, shown = 0;
  for (const auto& entry : dump.layers()) {
    const bool max = entry.op.rfind("max_pool", 0) == 0;
    if (!max && entry.op.find("avg_pool") == std::string::npos && entry.op != "mean") continue;
    const Layer layer = dump.bind(entry);
    const Tensor &x = layer.in("x"), &y = layer.out();
    if (x.rank() == 0 || y.rank() == 0) continue;
    for (const bool last : {false, true}) {
      std::vector<std::int64_t> at;  // in the stored array's axes
      for (std::int64_t axis = 0; axis < y.rank(); ++axis) {
        std::int64_t size = y.shape[static_cast<std::size_t>(axis)];
        for (std::size_t a = 0; a < y.stored_axes.size(); ++a)
          if (y.stored_axes[a] == axis) size = y.shape[a];
        at.push_back(last ? size - 1 : 0);
      }
      INFO(entry.name << " " << entry.op << (last ? ", its last element" : ", its first"));
      const Explanation e = explain({.dump = path, .layer = entry.name, .profile = "", .at = at, .products = 3});
      std::map<std::string, std::int64_t> lines;
      for (const auto& line : e.accumulation) {
        if (line.name.rfind("x[", 0) == 0) ++shown;
        else lines[line.name.substr(0, line.name.find(" over "))] = std::stoll(line.value);
      }
      ++seen[entry.op];
      if (max) {
        CHECK(std::to_string(lines.at("= largest of " + std::to_string(e.terms) + " elements")) == e.observed);
        continue;
      }
      const std::int64_t places = lines.count("places of the window, padding included") ? lines.at("places of the window, padding included") : e.terms;
      padded += places != e.terms;
      const bool with_padding = entry.op.rfind("avg_pool", 0) == 0 && layer.attributes.boolean("count_include_pad", true);
      std::int64_t divisor = with_padding ? places : e.terms;
      if (layer.attributes.has("divisor_override")) divisor = layer.attributes.integer("divisor_override", divisor);
      CHECK(lines.at("= sum of x - zx") == lines.at("= sum of x") - e.terms * x.q.integer_zero_point());
      const double value = static_cast<double>(lines.at("= sum of x - zx")) * x.q.scale_of(0) / y.q.scale_of(0) / static_cast<double>(divisor) + y.q.zero_point_of(0);
      REQUIRE_FALSE(e.exact.empty());
      CHECK(std::fabs(std::stod(e.exact[0].value) - value) < 1e-9);
    }
  }
  CHECK(seen.size() >= 8);
  CHECK(padded > 0);
  CHECK(shown > 100);
}

namespace {

/// A recurrent layer's input or hidden state by the scale and zero point that explain shows: q = rne(x / scale + zero point).
struct ShownQuantization {
  double scale = 1;
  int zero_point = 0;
  explicit ShownQuantization(const std::string& text) : scale(std::stod(text)), zero_point(std::stoi(text.substr(text.find(',') + 1))) {}
  int code(float x) const {
    const double v = static_cast<double>(x) / scale + zero_point, f = std::floor(v), cut = v - f;
    return static_cast<int>(std::clamp(cut > 0.5 || (cut == 0.5 && std::fmod(f, 2.0) != 0) ? f + 1 : f, 0.0, 255.0));
  }
};

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

}  // namespace

TEST_CASE("the gates of a recurrent layer's element are the sums of its operands, and end in what was observed", "[explain]") {
  const std::string path = (fs::path(LASTBIT_TEST_DATA) / "runtimes" / "pytorch-2.13" / "fbgemm" / "avx512_vnni" / "rnn").string();
  const Dump dump = Dump::open(path);
  int lstm_elements = 0, gru_elements = 0;
  for (const auto& entry : dump.layers()) {
    const bool lstm = entry.op == "lstm_dynamic";
    if (!lstm && entry.op != "gru_dynamic") continue;
    const Layer layer = dump.bind(entry);
    const Tensor &x = layer.in("x"), &y = layer.out();
    const bool batch_first = layer.attributes.boolean("batch_first", false);
    const std::int64_t T = x.dim(batch_first ? 1 : 0), H = y.dim(-1), I = x.dim(2);
    const std::vector<std::string> gates = lstm ? std::vector<std::string>{"i", "f", "g", "o"} : std::vector<std::string>{"r", "z", "n"};
    for (const std::int64_t t : {std::int64_t{0}, T - 1})
      for (const std::int64_t unit : {std::int64_t{0}, H - 1}) {
        INFO(entry.name << " step " << t << " unit " << unit);
        const auto at = [&](std::int64_t step) { return batch_first ? std::vector<std::int64_t>{0, step, unit} : std::vector<std::int64_t>{step, 0, unit}; };
        const Explanation e = explain({.dump = path, .layer = entry.name, .profile = "", .at = at(t), .products = 5});
        std::map<std::string, std::string> lines;
        for (const auto* section : {&e.quantities, &e.accumulation, &e.stages})
          for (const auto& line : *section) lines[line.name.substr(0, line.name.find(" over "))] = line.value;
        CHECK(e.products.size() == 5);
        CHECK(e.terms == static_cast<std::int64_t>(gates.size()) * (I + H));
        std::map<std::string, double> parts;  // by gate and source
        for (const bool hidden : {false, true}) {
          const std::string source = hidden ? "h" : "x";
          const ShownQuantization q(lines.at(source + " scale, zero point"));
          const Tensor &w = layer.in(hidden ? "weight_hh" : "weight_ih"), &bias = layer.in(hidden ? "bias_hh" : "bias_ih");
          for (std::size_t g = 0; g < gates.size(); ++g) {
            const std::int64_t row = static_cast<std::int64_t>(g) * H + unit;
            std::int64_t sum = 0;
            for (std::int64_t k = 0; k < (hidden ? H : I); ++k) {
              float v = 0;
              if (!hidden) v = static_cast<float>(x.value((batch_first ? t : t * x.dim(1)) * I + k));
              else if (t == 0) v = static_cast<float>(layer.in("h").value(k));
              else v = static_cast<float>(y.value((batch_first ? t - 1 : (t - 1) * y.dim(1)) * H + k));
              sum += (q.code(v) - q.zero_point) * (w.integer(row * (hidden ? H : I) + k) - w.q.integer_zero_point(row));
            }
            CHECK(lines.at(gates[g] + ", " + source + ": sum (" + source + "-z)*(w-zw)") == std::to_string(sum));
            parts[gates[g] + source] = static_cast<double>(sum) * q.scale * w.q.scale_of(w.q.scale.size() > 1 ? row : 0) + bias.value(row);
          }
        }
        const auto both = [&](const char* gate) {
          const double sum = parts.at(std::string(gate) + "x") + parts.at(std::string(gate) + "h");
          CHECK(std::fabs(std::stod(lines.at(std::string(gate) + " = x + h")) - sum) < 1e-5 * (1 + std::fabs(sum)));
          return sum;
        };
        double h = 0;
        if (lstm) {
          const double c = sigmoid(both("f")) * std::stod(lines.at("c before")) + sigmoid(both("i")) * std::tanh(both("g"));
          CHECK(std::fabs(std::stod(lines.at("c = sigmoid(f) * c + sigmoid(i) * tanh(g)")) - c) < 1e-5);
          if (t == 0) CHECK(std::stod(lines.at("c before")) == Approx(layer.in("c").value(unit)));
          h = sigmoid(both("o")) * std::tanh(c);
          ++lstm_elements;
        } else {
          const double n = std::tanh(parts.at("nx") + sigmoid(both("r")) * parts.at("nh"));
          h = (std::stod(lines.at("h before")) - n) * sigmoid(both("z")) + n;
          ++gru_elements;
        }
        CHECK(std::fabs(std::stod(e.observed) - h) < 1e-5);
        CHECK(e.lsb == 0);
      }
  }
  CHECK(lstm_elements >= 8);
  CHECK(gru_elements >= 4);
}

TEST_CASE("an element of gates alone is explained from its sums", "[explain]") {
  const std::string path = (fs::path(LASTBIT_TEST_DATA) / "runtimes" / "pytorch-2.13" / "fbgemm" / "avx512_vnni" / "rnn").string();
  const Dump dump = Dump::open(path);
  int seen = 0;
  for (const auto& entry : dump.layers()) {
    if (entry.op != "lstm_gates") continue;
    const Layer layer = dump.bind(entry);
    const std::int64_t H = layer.in("c").dim(-1), unit = H - 1;
    const Explanation e = explain({.dump = path, .layer = entry.name, .profile = "", .output = "h_out", .at = {unit}, .products = 3});
    const auto sum = [&](std::int64_t gate) { return layer.in("ih").value(gate * H + unit) + layer.in("hh").value(gate * H + unit); };
    const double c = sigmoid(sum(1)) * layer.in("c").value(unit) + sigmoid(sum(0)) * std::tanh(sum(2)), h = sigmoid(sum(3)) * std::tanh(c);
    INFO(entry.name);
    CHECK(std::fabs(std::stod(e.observed) - h) < 1e-6);
    CHECK(e.accumulation.size() == 4);
    CHECK(std::fabs(std::stod(e.stages.back().value) - h) < 1e-6);
    ++seen;
  }
  CHECK(seen > 3);
}
