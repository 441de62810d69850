// verify.cpp: see verify.hpp.
#include "verifier/verify.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/num/round.hpp"
#include "reports/rounded.hpp"
#include "reports/words.hpp"
#include "verifier/as_linear.hpp"
#include "verifier/by_codes.hpp"
#include "verifier/by_values.hpp"
#include "verifier/byte_sums.hpp"
#include "verifier/cat_codes.hpp"
#include "verifier/cause.hpp"
#include "verifier/compare.hpp"
#include "verifier/error_map.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/event_counts.hpp"
#include "verifier/evidence.hpp"
#include "verifier/forms.hpp"
#include "verifier/handed_on.hpp"
#include "verifier/moved.hpp"
#include "verifier/parallel.hpp"
#include "verifier/stored_bounds.hpp"
#include "verifier/streamed.hpp"
#include "verifier/sums.hpp"

namespace lastbit {
namespace {

constexpr std::size_t worst_kept = 20, first_kept = 5;

/// Quantization parameters that were chosen at run time: one mismatch for each that is not as dumped.
std::int64_t wrong_qparams(const Computed& c, const Tensor& observed) {
  if (!c.chosen) return 0;
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < c.chosen->scale.size(); ++i) {
    const auto channel = static_cast<std::int64_t>(i);
    wrong += static_cast<float>(c.chosen->scale_of(channel)) != static_cast<float>(observed.q.scale_of(channel));
    wrong += c.chosen->zero_point_of(channel) != observed.q.zero_point_of(channel);
  }
  return wrong;
}

WorstElement describe(const Evaluated& e, const std::string& port, std::int64_t i, const Real* real) {
  const Computed& c = e.result.outputs.at(port);
  const Tensor& t = e.layer.out(port);
  const auto at = static_cast<std::size_t>(i);
  WorstElement w;
  w.output = port;
  w.index = stored_index(t, i);
  w.expected = is_float(t.dtype) ? shortest(c.f[at]) : std::to_string(c.q[at]);
  w.observed = is_float(t.dtype) ? shortest(static_cast<float>(t.value(i))) : std::to_string(t.integer(i));
  w.lsb = lsb_error(c, t, i);
  if (!c.acc.empty()) w.acc = c.acc[at];
  if (real && port == "y") w.exact = exact_text(e.layer, *real, i);
  w.events = event_flags(c.events.empty() ? Events{0} : c.events[at]);
  return w;
}

void set_accumulator(std::int64_t min, std::int64_t max, LayerReport& r) {
  r.accumulator.min = min;
  r.accumulator.max = max;
  r.accumulator.bits = min || max ? std::max(bits_of(min), bits_of(max)) : 0;
}

/// A layer whose every element agrees, from what was added up on the way.
void summarise(const Streamed& s, LayerReport& r) {
  r.elements = s.elements;
  r.events = s.events;
  r.sqnr_db = 999;
  r.cosine = 1;
  set_accumulator(s.acc_min, s.acc_max, r);
  r.exact = s.exact;
  r.verdict = Verdict::identical;
}

void summarise(const Evaluated& e, const Operator& op, const VerifyOptions& options, const Streamed* streamed, LayerReport& r) {
  Real real;
  const bool wants_exact = options.forms.count("exact") > 0, wants_float = options.forms.count("float") > 0;
  if (op.real && (wants_exact || wants_float) && e.result.outputs.count("y") && e.layer.has_out("y")) real = op.real(e.layer, e.result);
  const Real* shown = wants_exact && real.exact ? &real : nullptr;
  double signal = 0, noise = 0, dot = 0, squares = 0, observed_squares = 0;
  long double sum = 0;
  for (const auto& [port, c] : e.compared) {
    r.elements += c.elements;
    r.mismatches += c.mismatches;
    r.events.undefined += c.undefined;
    r.max_lsb = std::max(r.max_lsb, c.max_lsb);
    sum += c.sum_lsb;
    for (const auto& [error, n] : c.histogram) r.histogram[error] += n;
    signal += c.signal, noise += c.noise, dot += c.dot, squares += c.expected_square, observed_squares += c.observed_square;
    const Computed& computed = e.result.outputs.at(port);
    for (const Events events : computed.events) add_events(r.events, events);
    const std::int64_t wrong = wrong_qparams(computed, e.layer.out(port));
    if (wrong) {
      r.mismatches += wrong;
      r.notes.push_back("the qparams of \"" + port + "\" are not those that the profile chooses: expected scale " + shortest(static_cast<float>(computed.chosen->scale_of(0))) + ", zero point " +
                        std::to_string(static_cast<std::int64_t>(computed.chosen->zero_point_of(0))));
    }
    for (std::size_t i = 0; i < c.differing.size() && r.first.size() < first_kept; ++i) r.first.push_back(describe(e, port, c.differing[i], shown));
    if (!c.differing.empty() && !r.error_map) r.error_map = error_map(e.layer.out(port), op.spatial, c.differing);
    auto order = c.differing;
    const auto worse = [&](std::int64_t a, std::int64_t b) {
      const auto x = std::abs(lsb_error(computed, e.layer.out(port), a)), y = std::abs(lsb_error(computed, e.layer.out(port), b));
      return x != y ? x > y : a < b;
    };
    const auto kept = std::min(order.size(), worst_kept);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), worse);
    for (std::size_t i = 0; i < kept; ++i) r.worst.push_back(describe(e, port, order[i], shown));
  }
  for (const auto& port : e.not_compared) r.notes.push_back("the output \"" + port + "\" was dumped, but " + r.profile + " does not compute it: not compared");
  std::stable_sort(r.worst.begin(), r.worst.end(), [](const WorstElement& a, const WorstElement& b) { return std::abs(a.lsb) > std::abs(b.lsb); });
  if (r.worst.size() > worst_kept) r.worst.resize(worst_kept);
  r.mean_lsb = r.elements ? rounded(static_cast<double>(sum / static_cast<long double>(r.elements))) : 0;
  r.sqnr_db = noise > 0 ? (signal > 0 ? rounded(10 * std::log10(signal / noise)) : -999) : 999;
  r.cosine = squares > 0 && observed_squares > 0 ? rounded(dot / std::sqrt(squares) / std::sqrt(observed_squares)) : noise > 0 ? 0 : 1;
  set_accumulator(e.result.acc_min, e.result.acc_max, r);
  if (wants_float) r.float_form = float_form(e.layer, real);
  if (streamed) r.exact = streamed->exact;
  else if (wants_exact && real.exact) r.exact = exact_form(e.layer, e.result.outputs.at("y"), real);
  r.unexplained = r.mismatches;
  r.verdict = r.mismatches ? Verdict::different : r.elements == 0 ? Verdict::not_checked : r.events.undefined ? Verdict::undefined_only : Verdict::identical;
  if (r.verdict == Verdict::not_checked) r.reason = "no element to compare";
}

/// The reference's own output as a tensor of the dump, where it differs from the dumped one.
std::optional<Tensor> own_output(const Evaluated& e, const std::string& port) {
  if (e.compared.at(port).mismatches == 0) return std::nullopt;
  const Tensor& t = e.layer.out(port);
  return as_tensor(e.result.outputs.at(port), t, t.q);
}

bool wanted(const Dump& dump, const LayerEntry& entry, const VerifyOptions& options) {
  const std::int64_t position = &entry - dump.layers().data();
  if (options.positions && (position < options.positions->first || position >= options.positions->end)) return false;
  return options.layer_glob.empty() || glob_matches(options.layer_glob, entry.name);
}

struct Job {
  const Dump* dump;
  const LayerEntry* entry;
};

/// What a second, chained evaluation needs of the first: nothing of a layer that agrees.
struct Difference {
  std::vector<std::int64_t> differing;
  std::int64_t max_lsb = 0;
  std::optional<Tensor> own;
};
struct LayerRun {
  LayerReport report;
  bool checked = false;
  std::map<std::string, Difference> differences;  // by port; under --chained only
};

/// Another runtime's layer judged by this arithmetic: where it adds a bias in real units and the layer has integers of the accumulator,
/// they are brought to the float32 numbers that they stand for.
void bring_bias(Layer& layer, const Cell& cell) {
  const auto bias = layer.inputs.find("bias");
  if (bias == layer.inputs.end() || is_float(bias->second.dtype) || !layer.inputs.count("x") || !layer.inputs.count("weight")) return;
  const auto adds = std::find_if(cell.stages.begin(), cell.stages.end(), [](const std::string& stage) { return stage.find("bias") != std::string::npos; });
  if (adds == cell.stages.end() || *adds == "bias bias" || *adds == "bias64 bias" || adds->find("sb") != std::string::npos) return;
  const Tensor& b = bias->second;
  const Quantization &x = layer.in("x").q, &w = layer.in("weight").q;
  if (!x.quantized() || !w.quantized()) return;
  std::vector<float> real;
  for (std::int64_t o = 0; o < b.size(); ++o) {
    const double scale = b.q.quantized() ? b.scale_at(o) : x.scale_of(0) * w.scale_of(w.scale.size() > 1 ? o % static_cast<std::int64_t>(w.scale.size()) : 0);
    real.push_back(static_cast<float>(static_cast<double>(b.integer(o)) * scale));
  }
  bias->second = Tensor::of_floats(b.name, b.shape, real);
}

/// What dequantize gives lies on its input's grid: there one LSB is the input's scale, not the last place of a float32.
std::int64_t max_lsb(const Evaluated& e, const std::string& port, const Comparison& c) {
  const Tensor* x = e.layer.op == "dequantize" ? e.layer.find("x") : nullptr;
  if (!x || !x->q.quantized()) return c.max_lsb;
  const Computed& own = e.result.outputs.at(port);
  double most = 0;
  for (const auto i : c.differing) {
    const double steps = std::abs(static_cast<double>(own.f[static_cast<std::size_t>(i)]) - e.layer.out(port).value(i)) / x->scale_at(i);
    if (!std::isfinite(steps)) return c.max_lsb;
    most = std::max(most, steps);
  }
  return std::max<std::int64_t>(1, rne(std::min(most, 0x1p40)));
}

std::map<std::string, Difference> differences_of(const Evaluated& e) {
  std::map<std::string, Difference> all;
  for (const auto& [port, c] : e.compared)
    if (c.mismatches) all[port] = {c.differing, max_lsb(e, port, c), own_output(e, port)};
  return all;
}

/// Brings a mapped layer into memory, so that the time of what follows is not that of a disk.
void touch(const StoredLayer& stored) {
  unsigned sum = 0;
  const auto all = [&](const std::map<std::string, Tensor>& tensors, const std::map<std::string, const std::byte*>& bytes) {
    for (const auto& [port, t] : tensors) {
      const auto at = bytes.find(port);
      const std::byte* from = at == bytes.end() ? t.data : at->second;
      for (std::int64_t i = 0, n = t.size() * stored_bytes(t.dtype); i < n; i += 4096) sum += std::to_integer<unsigned>(from[i]);
    }
  };
  all(stored.layer.inputs, stored.inputs);
  all(stored.layer.outputs, stored.outputs);
  volatile unsigned keep = sum;
  static_cast<void>(keep);
}

/// bind_layer() with the tensors where they lie.
StoredLayer bind_stored_layer(const Job& job, const Operator& op, const std::string& isa, const VerifyOptions& options) {
  StoredLayer stored = bind_as_stored(*job.dump, *job.entry, isa);
  if (options.as_producer) set_producer(stored.layer, &op, *options.as_producer);
  check_declared(stored.layer, op);
  if (op.check) op.check(stored.layer);
  return stored;
}

LayerRun run_layer(const Job& job, const VerifyOptions& options) {
  using clock = std::chrono::steady_clock;
  const auto ms = [](auto d) { return std::chrono::duration<double, std::milli>(d).count(); };
  LayerRun run;
  LayerReport& r = run.report;
  r.dump = job.dump->name();
  r.name = job.entry->name;
  r.op = job.entry->op;
  r.position = job.entry - job.dump->layers().data();
  r.command = words::shell({"lastbit", "verify", r.dump, "--layer", r.name});
  if (!options.profile.empty()) r.command += " " + words::shell({"--profile", options.profile});
  const ChosenProfile chosen = choose_profile(*job.dump, *job.entry, options.profile);
  r.profile = chosen.label;
  const Operator* op = find_operator(job.entry->op);
  r.reason = obstacle(*job.entry, chosen, op);
  if (!r.reason.empty()) return run;
  const auto start = clock::now();
  StoredLayer stored = bind_stored_layer(job, *op, chosen.isa, options);
  if (options.timings) touch(stored);
  const Cell* cell = cell_for(*chosen.profile, *op, stored.layer);
  if (!cell) {
    r.reason = "profile " + chosen.label + " does not hold " + job.entry->op;
    return run;
  }
  if (options.as_producer) bring_bias(stored.layer, *cell);
  run.checked = true;
  const auto others = options.causes && options.evidence ? rival_cells(stored.layer, *op) : nullptr;
  const double work = options.timings ? operations(stored.layer) : 0;
  const auto linear = as_linear(stored);
  std::vector<bool> open;
  std::string kernel;
  double time_ms = 0, pack_ms = 0;
  const auto loaded = clock::now();
  const bool wants_exact = options.forms.count("exact") > 0, wants_float = options.forms.count("float") > 0;
  const auto rivals = others ? std::span(*others) : std::span<const RivalCell>();
  const StreamOptions stream{wants_exact, wants_float, rivals, &open, options.events};
  const bool has_weights = !linear || stored.layer.in("b").q.axis >= 0;
  auto streamed = linear ? stream_layer(*linear, *find_operator("linear"), *cell, {wants_exact, wants_float && same_float_form(stored.layer), rivals, &open, options.events, has_weights})
                         : stream_layer(stored, *op, *cell, stream);
  if (linear && streamed) rule_out_products_without_bias(*linear, rivals, open);
  if (!streamed) streamed = judge_byte_sums(stored, *op, *cell, stream);
  if (!streamed) streamed = judge_codes(stored, *op, *cell, stream);
  if (!streamed) streamed = judge_cat(stored, *op, *cell, stream);
  if (!streamed) streamed = judge_values(stored, *op, *cell, stream);
  if (!streamed) streamed = judge_moved(stored, *op, stream);
  if (!streamed) streamed = judge_max_pool(stored, *op, *cell, stream);
  if (streamed) {
    kernel = streamed->kernel;
    pack_ms = streamed->pack_ms;
    time_ms = ms(clock::now() - loaded) - pack_ms;
  }
  std::optional<AccumulatorBounds> bounds;
  if (streamed) bounds = streamed->bounds;
  if (!bounds) bounds = linear ? stored_matmul_bounds(stored.layer, *linear, *cell) : stored_bounds(stored, *cell);
  if (streamed && !streamed->mismatches) {
    summarise(*streamed, r);
    const bool needs_float = wants_float && !streamed->float_form;
    const bool needs_bounds = !bounds && may_have_sums(stored.layer, *cell);
    if (needs_bounds || needs_float) bring_into_order(stored);
    if (needs_bounds) bounds = accumulator_bounds(stored.layer, *op, *cell);
    if (streamed->float_form) r.float_form = *streamed->float_form;
    else if (needs_float) r.float_form = float_form(stored.layer, op->real(stored.layer, {}));
    if (others) evidence(*job.dump, *job.entry, std::move(stored), *op, *chosen.profile, *cell, *others, *streamed, open, r);
  } else {
    bring_into_order(stored);
    if (!bounds) bounds = accumulator_bounds(stored.layer, *op, *cell);
    const auto begun = clock::now();
    const Evaluated e = evaluate(std::move(stored.layer), *op, *cell);
    if (!streamed) time_ms = ms(clock::now() - begun), kernel = e.result.kernel;
    summarise(e, *op, options, streamed ? &*streamed : nullptr, r);
    if (others && !r.mismatches && r.elements) evidence(*job.dump, *job.entry, e, *op, *chosen.profile, *cell, *others, r);
    if (options.causes && r.mismatches)
      for (const auto& [port, comparison] : e.compared)
        if (comparison.mismatches) attribute(Case(*job.dump, *job.entry, e.layer, *op, *chosen.profile, *cell, e.result.outputs.at(port), port, comparison), r);
    if (options.chained) run.differences = differences_of(e);
  }
  if (!options.events && !r.mismatches) r.events = {.undefined = r.events.undefined};
  if (bounds) {
    r.accumulator.worst_case_min = bounds->min;
    r.accumulator.worst_case_max = bounds->max;
    r.accumulator.worst_case_bits = std::max(bits_of(bounds->min), bits_of(bounds->max));
  }
  if (options.timings) r.timing = Timing{time_ms, ms(loaded - start), pack_ms, time_ms > 0 ? work / time_ms / 1e6 : 0, kernel};
  return run;
}

/// A tensor of the chain in place of a dumped one: in the order of axes that this layer reads it in.
Tensor in_place_of(const Tensor& dumped, Tensor own) {
  if (own.stored_axes == dumped.stored_axes) return own;
  if (!own.stored_axes.empty()) {  // back to the file's order
    std::vector<int> back(own.stored_axes.size());
    for (std::size_t a = 0; a < back.size(); ++a) back[static_cast<std::size_t>(own.stored_axes[a])] = static_cast<int>(a);
    own = permuted(own, back);
    own.stored_axes.clear();
  }
  return dumped.stored_axes.empty() ? own : permuted(own, dumped.stored_axes);
}

/// Second evaluation, from the reference's own tensors, in order, of every layer that is fed by one that differs. Only tensors that differ
/// are kept.
void chain(const Dump& dump, const std::vector<const LayerEntry*>& entries, const std::vector<LayerRun*>& runs, const VerifyOptions& options) {
  std::map<std::string, Tensor> own;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LayerEntry& entry = *entries[i];
    LayerReport& r = runs[i]->report;
    r.chained = ChainedSummary{};
    if (!runs[i]->checked) continue;
    auto isolated = std::move(runs[i]->differences);
    const auto add = [&](const std::string& port, const std::vector<std::int64_t>& differing, std::int64_t max_lsb, std::optional<Tensor> tensor) {
      r.chained->mismatches += static_cast<std::int64_t>(differing.size());
      r.chained->max_lsb = std::max(r.chained->max_lsb, max_lsb);
      const auto& before = isolated[port].differing;
      r.chained->inherited += std::count_if(differing.begin(), differing.end(), [&](std::int64_t at) { return !std::binary_search(before.begin(), before.end(), at); });
      if (tensor) own.insert_or_assign(entry.outputs.at(port), std::move(*tensor));
    };
    if (std::none_of(entry.inputs.begin(), entry.inputs.end(), [&](const auto& port) { return own.count(port.second) > 0; })) {
      for (auto& [port, d] : std::map(isolated)) add(port, d.differing, d.max_lsb, d.own);
      continue;
    }
    const ChosenProfile chosen = choose_profile(dump, entry, options.profile);
    const Operator* op = find_operator(entry.op);
    Layer layer = bind_layer(dump, entry, chosen.isa, options.as_producer ? &*options.as_producer : nullptr);
    for (auto& [port, tensor] : layer.inputs)
      if (const auto it = own.find(entry.inputs.at(port)); it != own.end()) tensor = in_place_of(tensor, it->second);
    const Evaluated e = evaluate(std::move(layer), *op, *cell_for(*chosen.profile, *op, layer));
    for (const auto& [port, d] : differences_of(e)) add(port, d.differing, d.max_lsb, d.own);
  }
}

}  // namespace

LayerRange LayerRange::parse(const std::string& text, const std::string& place) {
  LayerRange r;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, r.first);
  const bool colon = first.ec == std::errc() && first.ptr != end && *first.ptr == ':';
  const auto last = colon ? std::from_chars(first.ptr + 1, end, r.end) : first;
  if (!colon || last.ec != std::errc() || last.ptr != end || r.first < 0 || r.end <= r.first)
    throw Error(place, "found \"" + text + "\", expected FIRST:END, positions of layers, 0 <= FIRST < END");
  return r;
}

std::vector<std::string> verify_command(const VerifyOptions& options) {
  std::vector<std::string> command{"verify"};
  command.insert(command.end(), options.dumps.begin(), options.dumps.end());
  if (!options.profile.empty()) command.insert(command.end(), {"--profile", options.profile});
  if (!options.layer_glob.empty()) command.insert(command.end(), {"--layer", options.layer_glob});
  if (options.positions) command.insert(command.end(), {"--positions", std::to_string(options.positions->first) + ":" + std::to_string(options.positions->end)});
  std::string forms;
  for (const char* form : {"integer", "float", "exact"})
    if (options.forms.count(form)) forms += (forms.empty() ? "" : ",") + std::string(form);
  if (forms != "integer,float,exact") command.insert(command.end(), {"--forms", forms});
  if (options.chained) command.push_back("--chained");
  if (!options.causes) command.push_back("--no-causes");
  if (!options.evidence) command.push_back("--no-evidence");
  if (!options.events) command.push_back("--no-events");
  if (options.timings) command.push_back("--timings");
  return command;
}

Report verify_dumps(const VerifyOptions& options) {
  if (options.chained && options.positions) throw Error("--positions", "found --chained too, expected one of them: a chain begins at the first layer");
  Report report;
  report.version = options.version;
  report.command = options.command.empty() ? verify_command(options) : options.command;
  report.chained = options.chained;
  std::vector<Dump> dumps(options.dumps.size());
  parallel(dumps.size(), options.jobs, [&](std::size_t i) { dumps[i] = Dump::open(options.dumps[i], options.profile.empty()); }, {});
  for (const auto& dump : dumps) {
    report.dumps.push_back(dump.name());
    report.producers.push_back(dump.producer().fields);
  }
  std::vector<Job> jobs;
  for (const auto& dump : dumps)
    for (const auto& entry : dump.layers())
      if (wanted(dump, entry, options)) jobs.push_back({&dump, &entry});

  std::vector<LayerRun> runs(jobs.size());
  parallel(jobs.size(), options.jobs, [&](std::size_t i) { runs[i] = run_layer(jobs[i], options); }, options.progress);

  if (options.chained)
    for (const auto& dump : dumps) {
      std::vector<const LayerEntry*> entries;
      std::vector<LayerRun*> of_dump;
      for (std::size_t i = 0; i < jobs.size(); ++i)
        if (jobs[i].dump == &dump) entries.push_back(jobs[i].entry), of_dump.push_back(&runs[i]);
      chain(dump, entries, of_dump, options);
    }
  for (auto& run : runs) report.layers.push_back(std::move(run.report));
  return report;
}

}  // namespace lastbit
