// campaign_test.cpp: every cause is planted into clean layers, and must be found and named first (or in the first group).
//
// The layers and their faults are computed here, by loops that share nothing with the engine: an int64 sum, float32 steps
// written out, one option for each fault.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "lib/dump/write.hpp"
#include "tests/support.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

struct Random {
  std::uint64_t state;
  std::uint64_t next() { return state ^= state << 13, state ^= state >> 7, state ^= state << 17; }
  int in(int lo, int hi) { return lo + static_cast<int>((next() >> 20) % static_cast<std::uint64_t>(hi - lo + 1)); }
};

constexpr int N = 2, C = 8, H = 7, O = 8, K = 3;

/// A convolution (pad 1), or a linear layer when `linear` (H = K = 1), as engine fbgemm computes it per tensor or per channel.
struct Twin {
  bool linear = false, per_channel = false, relu = false, powers = true, weight_zero_point = false;
  std::vector<int> x, w;
  std::vector<float> bias, sw;
  float si = 0, so = 0;
  int zi = 11, zo = 5, wz = 0;
  int height() const { return linear ? 1 : H; }
  int taps() const { return linear ? 1 : K * K; }

  explicit Twin(std::uint64_t seed) {
    Random r{seed * 0x9E3779B97F4A7C15u + 1};
    linear = r.in(0, 2) == 0, per_channel = r.in(0, 1), relu = r.in(0, 1), powers = r.in(0, 3) > 0;
    weight_zero_point = r.in(0, 2) == 0;
    zi = r.in(1, 90), zo = r.in(1, 40) * 2 + 1, wz = weight_zero_point ? r.in(2, 20) : 0;
    const auto scale = [&](float power) { return powers ? power : power * (0.7f + 0.001f * static_cast<float>(r.in(0, 600))); };
    si = scale(0x1p-5f), so = scale(linear ? 0x1p-3f : 0x1p-1f);
    for (int o = 0; o < (per_channel ? O : 1); ++o) sw.push_back(scale(o % 2 ? 0x1p-6f : 0x1p-7f));
    for (int i = 0; i < N * (linear ? 20 : 1) * C * height() * height(); ++i) x.push_back(r.in(0, 255));
    const int reach = r.in(0, 2) == 0 ? 127 : 40;
    for (int i = 0; i < O * C * taps(); ++i) w.push_back(std::clamp(r.in(-reach, reach) + wz, -128, 127));
    for (int o = 0; o < O; ++o) bias.push_back(static_cast<float>(r.in(-4000, 4000)) * si * sw[static_cast<std::size_t>(per_channel ? o : 0)] + (seed % 2 ? 0.0f : 0.41f * si * sw[0]));
  }
  int rows() const { return static_cast<int>(x.size()) / (C * height() * height()); }
  std::size_t size() const { return static_cast<std::size_t>(rows() * O * height() * height()); }
};

double nearest_even(double v) {
  const double f = std::floor(v), cut = v - f;
  return cut > 0.5 || (cut == 0.5 && std::fmod(f, 2.0) != 0) ? f + 1 : f;
}

/// What may be planted. The default is clean.
struct Fault {
  std::function<double(double)> round = nearest_even;
  bool zero_point_inside = false, bias_dropped = false, bias_quantized = false, pad_zero = false, wz_ignored = false, relu_missing = false, relu_at_zero = false, relu_before_bias = false;
  bool flipped = false, x_nhwc = false, w_transposed = false, wraps = false, pairs = false, gemmlowp = false, scales_shifted = false, scales_first = false;
  int zero_point_moved = 0, pad = -1, bits = 0, offset = 0;
  bool saturates = false;
  std::function<float(float)> multiplier;
};

std::vector<std::int32_t> compute(const Twin& t, const Fault& f) {
  std::vector<std::int32_t> y(t.size());
  const int S = t.height(), P = S * S, T = t.taps(), edge = t.linear ? 0 : 1, kernel = t.linear ? 1 : K;
  for (int n = 0; n < t.rows(); ++n)
    for (int o = 0; o < O; ++o)
      for (int h = 0; h < S; ++h)
        for (int v = 0; v < S; ++v) {
          long long acc = 0;
          int held_x = 0, held_w = 0, term = 0;
          long long extra = 0;
          for (int tap = 0; tap < T; ++tap)
            for (int c = 0; c < C; ++c) {
              const int row = h + tap / kernel - edge, column = v + tap % kernel - edge;
              const bool outside = row < 0 || column < 0 || row >= S || column >= S;
              const int at = row * S + column;
              int xv = outside ? (f.pad_zero ? 0 : f.pad >= 0 ? f.pad : t.zi) : f.x_nhwc ? t.x[static_cast<std::size_t>((n * P + at) * C + c)] : t.x[static_cast<std::size_t>((n * C + c) * P + at)];
              if (!outside) xv = (xv + f.offset) % 256;
              const int tw = f.flipped ? T - 1 - tap : tap;
              const int wv = f.w_transposed ? t.w[static_cast<std::size_t>((c * O + o) * T + tw)] : t.w[static_cast<std::size_t>((o * C + c) * T + tw)];
              const long long term_value = static_cast<long long>(xv - t.zi) * (wv - (f.wz_ignored ? 0 : t.wz));
              acc += term_value;
              if (f.bits && f.saturates) acc = std::clamp(acc, -(1LL << (f.bits - 1)), (1LL << (f.bits - 1)) - 1);
              if (f.pairs) {
                if (term % 2) {
                  const int p = held_x * held_w + xv * wv;
                  extra += std::clamp(p, -32768, 32767) - p;
                }
                held_x = xv, held_w = wv, ++term;
              }
            }
          acc += extra;
          if (f.bits && !f.saturates) {
            const long long m = 1LL << f.bits;
            acc = ((acc % m) + m) % m;
            if (acc >= m / 2) acc -= m;
          }
          if (f.relu_before_bias) acc = std::max(acc, 0LL);
          const int channel = t.per_channel ? (f.scales_first ? 0 : f.scales_shifted ? (o + O - 1) % O : o) : 0;
          const float sw = t.sw[static_cast<std::size_t>(channel)], scale = t.si * sw;
          const float b = f.bias_dropped ? 0.0f : t.bias[static_cast<std::size_t>(o)];
          const float multiplier0 = scale / t.so, multiplier = f.multiplier ? f.multiplier(multiplier0) : multiplier0;
          const int zo = t.zo + f.zero_point_moved;
          double q;
          if (f.gemmlowp) {
            int shift = 0;
            const auto m = static_cast<long long>(std::floor(std::frexp(static_cast<double>(t.si) * sw / t.so, &shift) * 2147483648.0 + 0.5));
            const long long with_bias = acc + static_cast<long long>(nearest_even(static_cast<double>(b) / (static_cast<double>(t.si) * sw)));
            const long long high = (with_bias * m + (1LL << 30)) >> 31, half = shift < 0 ? 1LL << (-shift - 1) : 0;
            q = static_cast<double>(high >= 0 ? (high + half) >> -shift : -((-high + half) >> -shift)) + zo;
          } else {
            float real;
            if (f.bias_quantized) real = static_cast<float>(acc + static_cast<long long>(nearest_even(static_cast<double>(b / scale))));
            else if (t.per_channel) {
              const float divided = b / scale;
              real = static_cast<float>(acc) + divided;
            } else real = std::fma(b, 1.0f / scale, static_cast<float>(acc));
            const float scaled = real * multiplier;
            const float moved = scaled + static_cast<float>(zo);
            q = f.zero_point_inside ? f.round(static_cast<double>(moved)) : f.round(static_cast<double>(scaled)) + zo;
          }
          const bool relu = t.relu && !f.relu_missing && !f.relu_before_bias;
          const double lo = relu ? (f.relu_at_zero ? 0 : zo) : 0;
          if (f.wraps) {
            if (relu) q = std::max(q, lo);
            q = static_cast<double>(((static_cast<long long>(q) % 256) + 256) % 256);
          } else q = std::clamp(q, lo, 255.0);
          y[static_cast<std::size_t>(((n * O + o) * S + h) * S + v)] = static_cast<std::int32_t>(q);
        }
  return y;
}

Layer layer_of(const Twin& t, const std::vector<std::int32_t>& y, const std::string& name) {
  Layer l;
  l.name = name;
  l.op = t.linear ? "linear" : "conv2d";
  const auto quantized = [](double s, double z, DType d) {
    Quantization q;
    q.scale = {s}, q.zero_point = {z}, q.qmin = info(d).min, q.qmax = info(d).max;
    return q;
  };
  const std::vector<std::int32_t> x(t.x.begin(), t.x.end()), w(t.w.begin(), t.w.end());
  const Shape xs = t.linear ? Shape{t.rows(), C} : Shape{t.rows(), C, H, H}, ws = t.linear ? Shape{O, C} : Shape{O, C, K, K}, ys = t.linear ? Shape{t.rows(), O} : Shape{t.rows(), O, H, H};
  l.inputs.emplace("x", Tensor::of_integers(name + ".x", DType::uint8, xs, quantized(static_cast<double>(t.si), t.zi, DType::uint8), x));
  Quantization qw = quantized(static_cast<double>(t.sw[0]), t.wz, DType::int8);
  if (t.per_channel) {
    qw.axis = 0;
    qw.scale.assign(t.sw.begin(), t.sw.end());
    qw.zero_point.assign(O, t.wz);
  }
  l.inputs.emplace("weight", Tensor::of_integers(name + ".w", DType::int8, ws, qw, w));
  l.inputs.emplace("bias", Tensor::of_floats(name + ".b", {O}, t.bias));
  l.outputs.emplace("y", Tensor::of_integers(name + ".y", DType::uint8, ys, quantized(static_cast<double>(t.so), t.zo, DType::uint8), y));
  l.attributes.values["activation"] = std::string(t.relu ? "relu" : "none");
  if (!t.linear) l.attributes.values["padding"] = std::vector<std::int64_t>{1, 1};
  return l;
}

struct Plant {
  const char* name;
  Fault fault;
  std::function<bool(const Twin&)> applies = [](const Twin&) { return true; };
};

std::vector<Plant> plants() {
  const auto conv = [](const Twin& t) { return !t.linear; };
  const auto relu = [](const Twin& t) { return t.relu; };
  const auto channels = [](const Twin& t) { return t.per_channel; };
  const auto with = [](auto set) {
    Fault f;
    set(f);
    return f;
  };
  return {
      {"round:half-away", with([](Fault& f) { f.round = [](double v) { return std::round(v); }; })},
      {"round:half-up", with([](Fault& f) { f.round = [](double v) { return std::floor(v + 0.5); }; })},
      {"round:half-down", with([](Fault& f) { f.round = [](double v) { return std::ceil(v - 0.5); }; })},
      {"round:to-zero", with([](Fault& f) { f.round = [](double v) { return std::trunc(v); }; })},
      {"round:floor", with([](Fault& f) { f.round = [](double v) { return std::floor(v); }; })},
      {"round:ceil", with([](Fault& f) { f.round = [](double v) { return std::ceil(v); }; })},
      {"round:double", with([](Fault& f) { f.gemmlowp = true; })},
      {"zero-point:before-rounding", with([](Fault& f) { f.zero_point_inside = true; })},
      {"zero-point:stale", with([](Fault& f) { f.zero_point_moved = 7; })},
      {"bias:dropped", with([](Fault& f) { f.bias_dropped = true; })},
      {"bias:quantized", with([](Fault& f) { f.bias_quantized = true; })},
      {"accumulator:16-wrap", with([](Fault& f) { f.bits = 16; })},
      {"accumulator:16-saturate-partial", with([](Fault& f) { f.bits = 16, f.saturates = true; })},
      {"pairs:int16", with([](Fault& f) { f.pairs = true; })},
      {"padding:zero", with([](Fault& f) { f.pad_zero = true; }), conv},
      {"padding:stale", with([](Fault& f) { f.pad = 200; }), conv},
      {"weight-zero-point:ignored", with([](Fault& f) { f.wz_ignored = true; })},
      {"weight-scale:per-tensor", with([](Fault& f) { f.scales_first = true; }), channels},
      {"weight-scale:shifted", with([](Fault& f) { f.scales_shifted = true; }), channels},
      {"activation:missing", with([](Fault& f) { f.relu_missing = true; }), relu},
      {"activation:at-zero", with([](Fault& f) { f.relu_at_zero = true; }), relu},
      {"activation:before-bias", with([](Fault& f) { f.relu_before_bias = true; }), relu},
      {"offset:128", with([](Fault& f) { f.offset = 128; })},
      {"layout:nhwc", with([](Fault& f) { f.x_nhwc = true; }), conv},
      {"kernel:flipped", with([](Fault& f) { f.flipped = true; }), conv},
      {"weight:transposed", with([](Fault& f) { f.w_transposed = true; })},
      {"output:wraps", with([](Fault& f) { f.wraps = true; })},
      {"multiplier:power-of-two", with([](Fault& f) { f.multiplier = [](float m) { int e = 0; const float q = std::frexp(m, &e); return std::ldexp(q < 0.75f ? 0.5f : 1.0f, e); }; })},
  };
}

Report verify(const fs::path& dump) {
  VerifyOptions o;
  o.dumps = {dump.string()};
  o.forms = {"integer"};
  return verify_dumps(o);
}

}  // namespace

TEST_CASE("clean layers raise no alarm, and every planted cause is found and named first", "[verifier][campaign]") {
  DumpToWrite dump;
  dump.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "fbgemm"}, {"isa", "avx512_vnni"}};
  dump.profile = "pytorch-fbgemm";
  std::vector<std::string> planted;  // by layer, empty: clean
  const auto all = plants();
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    const Twin t(seed);
    const auto clean = compute(t, {});
    dump.layers.push_back(layer_of(t, clean, "clean" + std::to_string(seed)));
    planted.push_back("");
    for (const auto& p : all) {
      if (!p.applies(t)) continue;
      const auto faulty = compute(t, p.fault);
      if (faulty == clean) continue;  // this layer cannot show the fault
      dump.layers.push_back(layer_of(t, faulty, std::string(p.name) + "/" + std::to_string(seed)));
      planted.push_back(p.name);
      ++seen[p.name];
    }
  }
  for (const auto& p : all) {
    CAPTURE(p.name);
    CHECK(seen[p.name] >= 3);  // a campaign that never planted a fault has not tested it
  }
  TemporaryFolder folder;
  write_dump(folder.path / "dump", dump);
  const Report report = verify(folder.path / "dump");
  REQUIRE(report.layers.size() == planted.size());
  int faults = 0, found = 0, first = 0;
  for (std::size_t i = 0; i < planted.size(); ++i) {
    const LayerReport& l = report.layers[i];
    CAPTURE(l.name, l.mismatches);
    if (planted[i].empty()) {
      CHECK(l.mismatches == 0);
      continue;
    }
    ++faults;
    CHECK(l.mismatches > 0);
    std::string named;
    for (const auto& c : l.causes) named += c.name + " ";
    CAPTURE(named);
    const auto is = [&](const CauseFound& c) { return c.name == planted[i] || std::find(c.group.begin(), c.group.end(), planted[i]) != c.group.end(); };
    const bool here = std::any_of(l.causes.begin(), l.causes.end(), is), at_first = !l.causes.empty() && is(l.causes.front());
    found += here;
    first += at_first;
    if (!at_first) WARN(l.name << ": named " << named << (here ? "(later)" : "(not)"));
    CHECK(l.unexplained == 0);
  }
  CAPTURE(faults, found, first);
  CHECK(faults > 300);
  CHECK(found == faults);
  CHECK(first * 100 >= faults * 99);
}
