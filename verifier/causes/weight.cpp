// weight: the weight's elements lie in another order: a transposed matrix, the reordering bug of PyTorch's transposed convolutions on
// oneDNN, the values that share a byte, the gates of a recurrent layer.
#include <algorithm>
#include <numeric>

#include "verifier/altered.hpp"
#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"

namespace lastbit::causes {
namespace {

/// w[o, c] taken from the bytes of its transpose, per tap and group; in and out channels swap roles. Or the other way round: the
/// bytes of w taken for those of its transpose. The two differ where O != C. `whole`: over all groups at once, [g*O, C] as [C, g*O].
template <class Int>
Reading transposed_by(Int O, Int C, Int T, bool bytes_of_transpose) {
  return {.place = [=](std::int64_t place) {
    const Int at = static_cast<Int>(place), t = at % T, i = at / T % C, row = at / T / C, o = row % O, group = row / O;
    const Int flat = o * C + i;  // position in [O, C], read as [C, O]; or position in [C, O], read as [O, C]:
    return static_cast<std::int64_t>((group * O * C + (bytes_of_transpose ? flat % O * C + flat / O : i * O + o)) * T + t);
  }};
}
Reading transposed(const Case& c, bool bytes_of_transpose, bool whole = false) {
  const auto& g = c.geometry();
  const std::int64_t O = whole ? g.groups * g.out_channels : g.out_channels, C = g.in_channels, T = g.taps();
  if (c.right().size() < std::int64_t{1} << 31) return transposed_by(static_cast<std::uint32_t>(O), static_cast<std::uint32_t>(C), static_cast<std::uint32_t>(T), bytes_of_transpose);  // divides faster
  return transposed_by(O, C, T, bytes_of_transpose);
}

/// aten/src/ATen/native/quantized/cpu/qconv_prepack.cpp with ideep: per group the [I, O, taps] memory is viewed as
/// [O, I, taps] and its axes swapped to [I, O, taps], twice.
Reading reordered(const Case& c) {
  const auto& g = c.geometry();
  const std::int64_t O = g.out_channels, I = g.in_channels, T = g.taps();
  return {.place = [=](std::int64_t at) {
    const std::int64_t t = at % T, i = at / T % I, row = at / T / I, group = row / O;
    std::int64_t flat = i * O + row % O;  // in [I, O], each pass taken from [O, I]
    for (int pass = 0; pass < 2; ++pass) flat = flat % O * I + flat / O;
    return ((group * O + flat % O) * I + flat / O) * T + t;
  }};
}

/// A float matrix product's b, transposed either way.
std::vector<Suspect> of_float_sums(const Case& c) {
  std::vector<Suspect> all;
  const auto sums = std::make_shared<const FloatSums>(c);
  for (const bool bytes_of_transpose : {true, false}) {
    const auto other = std::make_shared<const std::vector<std::int64_t>>(sums->sums_of([bytes_of_transpose](const Geometry& g, AccumulationInput& in) {
      const std::int64_t N = g.out_channels, K = g.in_channels;
      const auto w = in.w;
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t k = 0; k < K; ++k) {
          const std::int64_t flat = n * K + k, from = bytes_of_transpose ? flat % N * K + flat / N : k * N + n;
          in.w[static_cast<std::size_t>(flat)] = w[static_cast<std::size_t>(from)];
        }
    }));
    if (*other != sums->sums())
      all.push_back(float_sums_suspect(sums, "weight:transposed", "The bytes of b were read as its transpose: rows and columns swapped.", [other](std::int64_t i) { return (*other)[static_cast<std::size_t>(i)]; }));
  }
  return all;
}

/// Values of 4 or 2 bits share a byte, the first in its low bits: where each is taken from when the first is in the high ones. Bytes are
/// those of the stored order, filled from one row to the next or begun anew with each.
std::vector<std::int64_t> turned_in_bytes(const Tensor& t, bool by_row) {
  std::vector<std::int32_t> own(static_cast<std::size_t>(t.size()));
  std::iota(own.begin(), own.end(), 0);
  Tensor places = Tensor::of_integers("", DType::int32, t.shape, {}, own);
  std::vector<int> back(t.stored_axes.size());
  for (std::size_t a = 0; a < back.size(); ++a) back[static_cast<std::size_t>(t.stored_axes[a])] = static_cast<int>(a);
  if (!back.empty()) places = permuted(places, back);
  const std::int64_t run = by_row && places.rank() > 0 ? places.dim(-1) : places.size(), each = 8 / info(t.dtype).bits;
  places = gathered(places, [=](std::int64_t at) {
    const std::int64_t first = at - at % run, i = at % run, other = i - i % each + each - 1 - i % each;
    return other < run ? first + other : at;
  });
  places.stored_axes.clear();
  if (!back.empty()) places = permuted(places, t.stored_axes);
  return places.i64();
}

void add_turned_in_bytes(const Case& c, std::vector<Suspect>& all) {
  std::vector<std::string> ports = weight_ports(c);
  if (c.accumulates()) ports = {c.right_port()};
  for (const auto& port : ports) {
    const Tensor& t = c.layer.in(port);
    if (is_float(t.dtype) || info(t.dtype).bits >= 8) continue;
    const std::string sentence = "The values of \"" + port + "\" that share a byte were read in the other order.";
    for (const bool by_row : {false, true}) {
      if (by_row && t.dim(-1) % (8 / info(t.dtype).bits) == 0) continue;
      const auto places = std::make_shared<const std::vector<std::int64_t>>(turned_in_bytes(t, by_row));
      const auto place = [places](std::int64_t i) { return (*places)[static_cast<std::size_t>(i)]; };
      if (c.accumulates() && c.layer.op != "matmul" && !c.geometry().transposed) {
        all.push_back(suspect(c, "weight:reordered", sentence, {.input = OtherOperands({.w = {.place = place}})}));
      } else {
        Layer other = c.layer;
        other.inputs.at(port) = gathered(t, place);
        all.push_back(rerun_suspect(c, "weight:reordered", sentence, std::move(other)));
      }
    }
  }
}

/// Rows of a tensor, or parts of its last axis, in another order of gates: gate k is taken from order[k].
Tensor in_order(const Tensor& t, const std::vector<int>& order, bool rows) {
  const auto gates = static_cast<std::int64_t>(order.size());
  const std::int64_t width = rows ? t.size() / gates : t.dim(-1) / gates;  // of a gate
  const auto place = [=](std::int64_t at) { return (at / width / gates * gates + order[static_cast<std::size_t>(at / width % gates)]) * width + at % width; };
  Tensor r = gathered(t, place);
  for (auto* of_rows : {&r.q.scale, &r.q.zero_point}) {
    if (!rows || of_rows->size() < 2) continue;
    const auto before = *of_rows;
    const std::int64_t each = static_cast<std::int64_t>(before.size()) / gates;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const auto o = static_cast<std::int64_t>(i);
      (*of_rows)[i] = before[static_cast<std::size_t>(order[static_cast<std::size_t>(o / each)] * each + o % each)];
    }
  }
  return r;
}

/// The gates of a recurrent layer in every other order: of all its weights and biases, of the weights alone, of x's or h's alone.
std::vector<Suspect> of_gates(const Case& c) {
  std::vector<Suspect> all;
  const bool lstm = c.layer.op.rfind("lstm", 0) == 0, gates_alone = c.layer.op.ends_with("_gates");
  const std::string names = lstm ? "ifgo" : "rzn";
  using Ports = std::vector<std::string>;
  const std::vector<std::pair<std::string, Ports>> sets = gates_alone ? std::vector<std::pair<std::string, Ports>>{{"", {"ih", "hh"}}, {" of \"ih\" alone", {"ih"}}, {" of \"hh\" alone", {"hh"}}}
                                                                      : std::vector<std::pair<std::string, Ports>>{{"", {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}}, {" of the weights, not of the biases", {"weight_ih", "weight_hh"}},
                                                                                                                   {" of \"weight_ih\" and \"bias_ih\" alone", {"weight_ih", "bias_ih"}}, {" of \"weight_hh\" and \"bias_hh\" alone", {"weight_hh", "bias_hh"}}};
  std::vector<int> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  while (std::next_permutation(order.begin(), order.end())) {
    std::string spelled;
    for (const int k : order) spelled += (spelled.empty() ? "" : ", ") + std::string(1, names[static_cast<std::size_t>(k)]);
    for (const auto& [where, ports] : sets) {
      Layer other = c.layer;
      bool known = true;
      for (const auto& port : ports) {
        const Tensor* t = c.layer.find(port);
        if (t && (gates_alone ? t->dim(-1) : t->dim(0)) % static_cast<std::int64_t>(order.size()) != 0) known = false;
        else if (t) other.inputs.at(port) = in_order(*t, order, !gates_alone);
      }
      if (known) all.push_back(rerun_suspect(c, "weight:reordered", "The gates" + where + " lie in another order: read as " + spelled + ".", std::move(other), where.empty() ? 10 : 12));
    }
  }
  return all;
}

/// Layers that are run anew.
std::vector<Suspect> of_runs(const Case& c) {
  std::vector<Suspect> all;
  const bool recurrent = c.layer.op.rfind("lstm_", 0) == 0 || c.layer.op.rfind("gru_", 0) == 0;
  if (recurrent) all = of_gates(c);
  const std::int64_t gates = recurrent ? c.layer.op[0] == 'l' ? 4 : 3 : 1;
  for (const std::int64_t blocks : gates > 1 ? std::vector<std::int64_t>{1, gates} : std::vector<std::int64_t>{1})
    for (const bool bytes_of_transpose : {true, false})
      add_edited(c, all, weight_ports(c), "weight:transposed", std::string("The weight's bytes were read as its transpose") + (blocks > 1 ? ", gate by gate." : "."), [=](const Tensor& t) {
        if (t.rank() < 2 || t.dim(0) % blocks != 0) return t;
        const std::int64_t O = t.dim(0) / blocks, C = t.dim(1), T = t.size() / std::max<std::int64_t>(t.dim(0) * C, 1);
        return gathered(t, [=](std::int64_t at) {
          const std::int64_t flat = at / T % (O * C), block = at / T / (O * C);
          return (block * O * C + (bytes_of_transpose ? flat % O * C + flat / O : flat % C * O + flat / C)) * T + at % T;
        });
      }, blocks > 1 ? 11 : 10);
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (FloatSums::applies(c)) return of_float_sums(c);
  if (!c.accumulates()) all = of_runs(c);
  add_turned_in_bytes(c, all);
  if (!c.accumulates()) return all;
  const auto& g = c.geometry();
  const auto add = [&](const char* name, const char* sentence, Reading w, int rank = 10) { all.push_back(suspect(c, name, sentence, {.input = OtherOperands({.w = std::move(w)})}, rank)); };
  if (g.out_channels > 1 && g.in_channels > 1) {
    add("weight:transposed", "The weight's bytes were read as its transpose: input and output channels swapped.", transposed(c, true));
    if (g.out_channels != g.in_channels) add("weight:transposed", "The weight's bytes, output channels first, were read with input channels first.", transposed(c, false));
    if (g.transposed)
      add("weight:reordered", "The weight was reordered wrongly before the run: per group its [I, O, taps] memory was viewed as [O, I, taps] and its axes swapped, twice (PyTorch 2.13, transposed convolutions of x86 and oneDNN with I/groups != O/groups).", reordered(c), 9);
  }
  if (g.groups > 1 && g.in_channels > 1 && c.layer.op != "matmul")
    for (const bool bytes_of_transpose : {true, false}) add("weight:transposed", "The weight's bytes were read as its transpose, over all groups at once.", transposed(c, bytes_of_transpose, true));
  return all;
}

}  // namespace

Cause weight() { return {"weight", "the weight's elements in another order", {"weight:transposed", "weight:reordered"}, suspects}; }

}  // namespace lastbit::causes
