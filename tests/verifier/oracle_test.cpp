// oracle_test.cpp: a slow twin of the exact form, in rational numbers, over real layers. It reads arrays through the dump reader
// and shares nothing else with the engine: its own window loop, its own rounding, Boost's rationals for every element.
#include <boost/multiprecision/cpp_int.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "lib/dump/dump.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using Rational = boost::multiprecision::cpp_rational;
using Integer = boost::multiprecision::cpp_int;

namespace {

/// A double is m * 2^e.
Rational exactly(double v) {
  int e = 0;
  const auto m = static_cast<long long>(std::ldexp(std::frexp(v, &e), 53));
  e -= 53;
  return e >= 0 ? Rational(Integer(m) << e) : Rational(Integer(m), Integer(1) << -e);
}

Integer floor_of(const Rational& r) {
  const Integer n = numerator(r), d = denominator(r), q = n / d;
  return n < 0 && q * d != n ? Integer(q - 1) : q;
}

struct Counts {
  std::int64_t elements = 0, ties = 0, not_correctly_rounded = 0;
};

/// conv2d or linear with a float bias or none, as stored arrays.
Counts judge(const Layer& l) {
  const bool linear = l.op == "linear";
  const Tensor &x = l.in("x"), &w = l.in("weight"), &y = l.out("y");
  const Tensor* bias = l.find("bias");
  const auto attribute = [&](const char* key, std::size_t i, std::int64_t otherwise) { return linear || !l.attributes.has(key) ? otherwise : l.attributes.list(key)[i % l.attributes.list(key).size()]; };
  const std::int64_t groups = linear ? 1 : l.attributes.integer("groups", 1);
  const std::int64_t O = w.shape[0], C = w.shape[1], KH = linear ? 1 : w.shape[2], KW = linear ? 1 : w.shape[3];
  const std::int64_t IH = linear ? 1 : x.shape[2], IW = linear ? 1 : x.shape[3], OH = linear ? 1 : y.shape[2], OW = linear ? 1 : y.shape[3], N = y.size() / (O * OH * OW);
  const Rational si = exactly(x.q.scale[0]), so = exactly(y.q.scale[0]);
  const auto zx = static_cast<std::int64_t>(x.q.zero_point[0]), zo = static_cast<std::int64_t>(y.q.zero_point[0]);
  const Attribute activation = l.attributes.has("activation") ? l.attributes.values.at("activation") : Attribute(std::string("none"));
  const auto* clamp = std::get_if<Clamp>(&activation);
  const bool relu = !clamp && std::get<std::string>(activation) == "relu";
  Counts n;
  for (std::int64_t b = 0; b < N; ++b)
    for (std::int64_t o = 0; o < O; ++o)
      for (std::int64_t h = 0; h < OH; ++h)
        for (std::int64_t v = 0; v < OW; ++v) {
          std::int64_t acc = 0;
          const auto zw = static_cast<std::int64_t>(w.q.zero_point.size() > 1 ? w.q.zero_point[static_cast<std::size_t>(o)] : w.q.zero_point.empty() ? 0.0 : w.q.zero_point[0]);
          for (std::int64_t c = 0; c < C; ++c)
            for (std::int64_t i = 0; i < KH; ++i)
              for (std::int64_t j = 0; j < KW; ++j) {
                const std::int64_t row = h * attribute("stride", 0, 1) - attribute("padding", 0, 0) + i * attribute("dilation", 0, 1);
                const std::int64_t column = v * attribute("stride", 1, 1) - attribute("padding", 1, 0) + j * attribute("dilation", 1, 1);
                if (row < 0 || column < 0 || row >= IH || column >= IW) continue;
                const std::int64_t channel = o / (O / groups) * C + c;
                acc += (x.integer(((b * C * groups + channel) * IH + row) * IW + column) - zx) * (w.integer(((o * C + c) * KH + i) * KW + j) - zw);
              }
          const Rational sw = exactly(w.q.scale.size() > 1 ? w.q.scale[static_cast<std::size_t>(o)] : w.q.scale[0]);
          Rational real = Rational(acc) * si * sw;
          if (bias) real += is_float(bias->dtype) ? exactly(bias->value(o)) : Rational(bias->integer(o)) * si * sw;
          const Rational stored = real / so + zo, doubled = stored * 2;
          const std::int64_t got = y.integer(((b * O + o) * OH + h) * OW + v);
          const std::int64_t lo = clamp ? clamp->min : relu ? std::max<std::int64_t>(zo, y.q.qmin) : y.q.qmin, hi = clamp ? clamp->max : y.q.qmax;
          const Integer below = floor_of(stored);
          const auto clamped = [&](const Integer& q) { return q < lo ? lo : q > hi ? hi : static_cast<std::int64_t>(q); };
          const bool tie = denominator(doubled) == 1 && denominator(stored) != 1;
          ++n.elements;
          if (tie) {
            // Far outside the range no tie is counted: the clamp decides there.
            n.ties += !(stored < lo - 1 || stored > hi + 1);
            n.not_correctly_rounded += got != clamped(below) && got != clamped(below + 1);
          } else {
            n.not_correctly_rounded += got != clamped(floor_of(stored + Rational(1, 2)));
          }
        }
  return n;
}

}  // namespace

TEST_CASE("the exact form counts what a rational oracle counts, element by element", "[verifier][oracle]") {
  std::int64_t elements = 0, ties = 0, misrounded = 0;
  for (const char* family : {"pytorch-2.13/fbgemm/avx512_vnni/ties", "pytorch-2.13/qnnpack/avx512_vnni/ties", "pytorch-2.13/onednn/avx512_vnni/ties", "pytorch-2.13/fbgemm/avx512_vnni/conv2d", "pytorch-2.13/qnnpack/avx512_vnni/conv2d", "pytorch-2.13/onednn/avx512_vnni/linear",
                             "pytorch-2.13/fbgemm/avx512_vnni/linear", "onnxruntime-1.31/avx512_vnni/ties_gemm", "litert-2.3/ref/ties", "litert-2.3/xnnpack/ties"}) {
    const std::string path = std::string(LASTBIT_TEST_DATA) + "/runtimes/" + family;
    VerifyOptions o;
    o.dumps = {path};
    o.causes = false;
    const Report report = verify_dumps(o);
    const Dump dump = Dump::open(path);
    REQUIRE(report.layers.size() == dump.layers().size());
    for (std::size_t i = 0; i < report.layers.size(); ++i) {
      const LayerReport& l = report.layers[i];
      if (l.op != "linear" && l.op != "conv2d") continue;
      CAPTURE(family, l.name);
      const Counts n = judge(dump.bind(dump.layers()[i]));
      CHECK(l.elements == n.elements);
      CHECK(l.exact.ties == n.ties);
      if (l.events.pair_saturated == 0) CHECK(l.exact.not_correctly_rounded == n.not_correctly_rounded);
      elements += n.elements, ties += n.ties, misrounded += n.not_correctly_rounded;
    }
  }
  // An oracle that saw no tie has judged nothing.
  CHECK(elements > 5000);
  CHECK(ties > 100);
  INFO(misrounded);
}
