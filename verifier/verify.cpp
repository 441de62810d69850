// verify.cpp: see verify.hpp.
#include "verifier/verify.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>

#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/num/round.hpp"
#include "reports/words.hpp"
#include "verifier/cause.hpp"
#include "verifier/compare.hpp"
#include "verifier/error_map.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/evidence.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

constexpr std::size_t worst_kept = 20, first_kept = 5;

double rounded(double v) { return std::isfinite(v) && std::fabs(v) < 1e9 ? static_cast<double>(rne(v * 1e6)) / 1e6 : v; }

void add_events(const Computed& c, EventCounts& n) {
  for (const Events e : c.events) {
    n.tie += (e & event::tie) != 0;
    n.clamped += (e & event::clamped) != 0;
    n.saturated += (e & event::saturated) != 0;
    n.wrapped += (e & event::wrapped) != 0;
    n.pair_saturated += (e & event::pair_saturated) != 0;
    n.inexact_float += (e & event::inexact_float) != 0;
  }
}

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

void summarise(const Evaluated& e, const Operator& op, const VerifyOptions& options, LayerReport& r) {
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
    add_events(computed, r.events);
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
  r.accumulator.min = e.result.acc_min;
  r.accumulator.max = e.result.acc_max;
  r.accumulator.bits = e.result.acc_min || e.result.acc_max ? std::max(bits_of(e.result.acc_min), bits_of(e.result.acc_max)) : 0;
  if (wants_float) r.float_form = float_form(e.layer, real);
  if (wants_exact && real.exact) r.exact = exact_form(e.layer, e.result.outputs.at("y"), real);
  r.unexplained = r.mismatches;
  r.verdict = r.mismatches ? Verdict::different : r.elements == 0 ? Verdict::not_checked : r.events.undefined ? Verdict::undefined_only : Verdict::identical;
  if (r.verdict == Verdict::not_checked) r.reason = "no element to compare";
}

/// The reference's own output as a tensor of the dump, where it differs from the dumped one. What cannot be known from the
/// dump (undefined) is taken from the dump.
std::optional<Tensor> own_output(const Evaluated& e, const std::string& port) {
  const auto& c = e.compared.at(port);
  if (c.mismatches == 0) return std::nullopt;
  const Computed& computed = e.result.outputs.at(port);
  const Tensor& t = e.layer.out(port);
  Tensor own;
  if (is_float(t.dtype)) {
    auto f = computed.f;
    for (const auto& u : computed.undefined) f[static_cast<std::size_t>(u.index)] = static_cast<float>(t.value(u.index));
    own = Tensor::of_floats(t.name, t.shape, f);
  } else {
    auto q = computed.q;
    for (const auto& u : computed.undefined) q[static_cast<std::size_t>(u.index)] = static_cast<std::int32_t>(t.integer(u.index));
    own = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, q);
  }
  own.memory_layout = t.memory_layout;
  own.stored_axes = t.stored_axes;
  return own;
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

struct LayerRun {
  LayerReport report;
  std::optional<Evaluated> evaluated;  // kept under --chained only
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

LayerRun run_layer(const Job& job, const VerifyOptions& options) {
  using clock = std::chrono::steady_clock;
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
  Layer layer = bind_layer(*job.dump, *job.entry, chosen.isa, options.as_producer ? &*options.as_producer : nullptr);
  const auto loaded = clock::now();
  const Cell* cell = cell_for(*chosen.profile, *op, layer);
  if (!cell) {
    r.reason = "profile " + chosen.label + " does not hold " + job.entry->op;
    return run;
  }
  if (options.as_producer) bring_bias(layer, *cell);
  Evaluated e = evaluate(std::move(layer), *op, *cell);
  const auto done = clock::now();
  summarise(e, *op, options, r);
  if (options.causes && !r.mismatches && r.elements) evidence(*job.dump, *job.entry, e, *op, *chosen.profile, *cell, r);
  if (const auto bounds = accumulator_bounds(e.layer, *op, *cell)) {
    r.accumulator.worst_case_min = bounds->min;
    r.accumulator.worst_case_max = bounds->max;
    r.accumulator.worst_case_bits = std::max(bits_of(bounds->min), bits_of(bounds->max));
  }
  if (options.causes && r.mismatches)
    for (const auto& [port, comparison] : e.compared)
      if (comparison.mismatches) attribute(Case(*job.dump, *job.entry, e.layer, *op, *chosen.profile, *cell, e.result.outputs.at(port), port, comparison), r);
  if (options.timings) {
    const auto ms = [](auto d) { return std::chrono::duration<double, std::milli>(d).count(); };
    const double time_ms = ms(done - loaded);
    r.timing = Timing{time_ms, ms(loaded - start), 0, time_ms > 0 ? operations(e.layer) / time_ms / 1e6 : 0, e.result.kernel};
  }
  if (options.chained) run.evaluated = std::move(e);
  return run;
}

/// Second evaluation of every layer from the reference's own tensors, in order. Only tensors that differ are kept.
void chain(const Dump& dump, const std::vector<const LayerEntry*>& entries, const std::vector<LayerRun*>& runs, const VerifyOptions& options) {
  std::map<std::string, Tensor> own;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LayerEntry& entry = *entries[i];
    LayerReport& r = runs[i]->report;
    r.chained = ChainedSummary{};
    if (!runs[i]->evaluated) continue;
    Evaluated* e = &*runs[i]->evaluated;
    std::optional<Evaluated> again;
    if (std::any_of(entry.inputs.begin(), entry.inputs.end(), [&](const auto& port) { return own.count(port.second) > 0; })) {
      const ChosenProfile chosen = choose_profile(dump, entry, options.profile);
      const Operator* op = find_operator(entry.op);
      Layer layer = bind_layer(dump, entry, chosen.isa, options.as_producer ? &*options.as_producer : nullptr);
      for (auto& [port, tensor] : layer.inputs)
        if (const auto it = own.find(entry.inputs.at(port)); it != own.end()) {
          Tensor t = it->second;
          if (t.stored_axes != tensor.stored_axes) {  // back to the file's order, then to this layer's
            if (!t.stored_axes.empty()) {
              std::vector<int> back(t.stored_axes.size());
              for (std::size_t a = 0; a < back.size(); ++a) back[static_cast<std::size_t>(t.stored_axes[a])] = static_cast<int>(a);
              t = permuted(t, back);
              t.stored_axes.clear();
            }
            if (!tensor.stored_axes.empty()) t = permuted(t, tensor.stored_axes);
          }
          tensor = std::move(t);
        }
      again = evaluate(std::move(layer), *op, *cell_for(*chosen.profile, *op, layer));
      e = &*again;
    }
    std::set<std::pair<std::string, std::int64_t>> isolated;
    for (const auto& [port, c] : runs[i]->evaluated->compared)
      for (const auto at : c.differing) isolated.emplace(port, at);
    for (const auto& [port, c] : e->compared) {
      r.chained->mismatches += c.mismatches;
      r.chained->max_lsb = std::max(r.chained->max_lsb, c.max_lsb);
      for (const auto at : c.differing) r.chained->inherited += !isolated.count({port, at});
    }
    for (const auto& [port, c] : e->compared)
      if (auto t = own_output(*e, port)) own.insert_or_assign(entry.outputs.at(port), std::move(*t));
    runs[i]->evaluated.reset();
    if (!again) continue;
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
  if (options.timings) command.push_back("--timings");
  return command;
}

Report verify_dumps(const VerifyOptions& options) {
  if (options.chained && options.positions) throw Error("--positions", "found --chained too, expected one of them: a chain begins at the first layer");
  Report report;
  report.version = options.version;
  report.command = options.command.empty() ? verify_command(options) : options.command;
  report.chained = options.chained;
  std::vector<Dump> dumps;
  for (const auto& path : options.dumps) {
    dumps.push_back(Dump::open(path, options.profile.empty()));
    report.dumps.push_back(dumps.back().name());
    report.producers.push_back(dumps.back().producer().fields);
  }
  std::vector<Job> jobs;
  for (const auto& dump : dumps)
    for (const auto& entry : dump.layers())
      if (wanted(dump, entry, options)) jobs.push_back({&dump, &entry});

  std::vector<LayerRun> runs(jobs.size());
  std::atomic<std::size_t> next{0};
  std::size_t done = 0;
  std::mutex mutex;
  std::vector<std::exception_ptr> failed(jobs.size());
  const auto work = [&] {
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      try {
        runs[i] = run_layer(jobs[i], options);
      } catch (...) {
        failed[i] = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      ++done;
      if (options.progress) options.progress(done, jobs.size());
    }
  };
  unsigned threads = options.jobs ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
  threads = static_cast<unsigned>(std::min<std::size_t>(threads, std::max<std::size_t>(jobs.size(), 1)));
  {
    std::vector<std::jthread> pool;
    for (unsigned t = 1; t < threads; ++t) pool.emplace_back(work);
    work();
  }
  for (const auto& e : failed)
    if (e) std::rethrow_exception(e);  // the first in order, whatever thread met it

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
