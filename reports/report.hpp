// report.hpp: what a verification found, as plain values. A format turns a Report into text and knows nothing else.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

struct WorstElement {
  std::string output;                  // port, "y" mostly
  std::vector<std::int64_t> index;     // in the stored array's axes
  std::string expected, observed;      // as printed: integers, or floats in shortest round-trip form
  std::int64_t lsb = 0;                // observed - expected, signed
  std::optional<std::int64_t> acc;
  std::string exact;                   // exact value in output LSB (decimal), empty when not asked
  std::string events;                  // flags, fixed columns "tcswpiu", a dot where clear
  std::string explain;                 // the text of `lastbit explain` for it; may be empty
};

struct CauseFound {
  std::string name;                    // "round:half-away"
  std::int64_t explains = 0, of = 0;
  std::string sentence;
  std::string next;                    // a command to go on with
  std::vector<std::string> group;      // causes this layer cannot tell apart from it
  std::vector<std::vector<std::int64_t>> deciding;  // elements that decide
};

struct EventCounts {
  std::int64_t tie = 0, clamped = 0, saturated = 0, wrapped = 0, pair_saturated = 0, inexact_float = 0, undefined = 0;
};

struct AccumulatorSummary {
  std::int64_t min = 0, max = 0;
  int bits = 0;
  std::int64_t worst_case_min = 0, worst_case_max = 0;
  int worst_case_bits = 0;
};

struct ExactSummary {
  double max_error_lsb = 0, mean_error_lsb = 0;
  std::int64_t ties = 0, not_correctly_rounded = 0;
  /// Stored value minus real value, in LSB: 40 bins of 0.05 over [-1, 1), what lies outside in the first and last. May be empty.
  std::vector<std::int64_t> histogram;
};

struct FloatSummary {
  std::int64_t mismatches = 0, max_lsb = 0;
  std::int64_t float64_mismatches = 0, float64_max_lsb = 0;
};

struct ChainedSummary {
  std::int64_t mismatches = 0, max_lsb = 0, inherited = 0;  // inherited: chained mismatches at elements the isolated run got right
};

struct PairSummary {
  std::int64_t possible = 0, channels = 0, observed = 0;
};

/// Where the mismatches lie: channels down, positions (all other axes, row-major) across, both binned evenly.
struct ErrorMap {
  std::int64_t channels = 0, positions = 0;   // before binning
  std::int64_t rows = 0, columns = 0;         // rows <= channels, columns <= positions
  std::vector<std::int64_t> values;           // rows * columns: mismatches in the bin
};

struct Timing {
  double time_ms = 0, load_ms = 0, pack_ms = 0, gops = 0;
  std::string kernel;
};

enum class Verdict { identical, different, not_checked, undefined_only };

struct LayerReport {
  std::string dump, name, op, profile;   // profile as NAME or NAME@isa, empty when none
  std::int64_t position = 0;             // of the layer in its dump, so that shards merge in the network's order
  Verdict verdict = Verdict::not_checked;
  std::string reason;                    // why not checked; empty otherwise
  std::int64_t elements = 0, mismatches = 0, max_lsb = 0;
  double mean_lsb = 0;                   // signed, over all elements
  std::map<std::int64_t, std::int64_t> histogram;  // signed LSB error -> elements, 0 left out; beyond +-1024 clipped to it
  std::vector<CauseFound> causes, near_misses;
  std::int64_t unexplained = 0;
  EventCounts events;
  std::optional<ChainedSummary> chained;
  AccumulatorSummary accumulator;
  ExactSummary exact;
  FloatSummary float_form;
  double sqnr_db = 0, cosine = 0;        // of the dequantized tensors, observed against expected; 999 and 1 when identical
  std::vector<std::string> rules_out, cannot_rule_out;   // evidence
  std::vector<WorstElement> worst, first;                // largest errors; first in memory order
  std::optional<Timing> timing;
  std::optional<PairSummary> pairs;
  std::optional<ErrorMap> error_map;
  std::string command;                   // repeats this layer
  std::vector<std::string> notes;        // warnings worth a line
};

/// One sentence of the gate about one layer, or, without a layer, about the whole.
struct GateFinding {
  std::string rule;                      // "exact", "max_lsb", "baseline", "stale", ...
  std::string dump, layer, sentence;
};

/// A policy's judgement over a report; `lastbit gate` alone makes it.
struct GateOutcome {
  std::vector<GateFinding> findings;     // each fails the gate
  std::vector<std::string> notes;
  bool passed() const { return findings.empty(); }
};

struct Report {
  std::string tool = "lastbit", version;
  std::vector<std::string> command;      // as given, without the program's path
  std::vector<std::string> dumps;
  std::vector<std::map<std::string, std::string>> producers;  // one a dump
  std::vector<LayerReport> layers;       // in order of dumps, then of layers
  bool chained = false;
  std::optional<GateOutcome> gate;

  Verdict verdict() const;               // different if any layer is (chained counted), else not_checked if any, else identical
  const LayerReport* first_divergence() const;
  std::int64_t elements() const;         // compared: undefined ones and layers that were not checked left out
  int exit_status() const;               // 0, 1, 5
};

std::string_view name(Verdict);
/// What fails: where a gate judged, what it found; else what differs.
bool fails(const Report&, const LayerReport&);
/// Own mismatches, or, where the layer was chained, inherited ones.
bool differs(const LayerReport&);

struct FormatOptions {
  bool color = false;
  int columns = 80;
};

/// One file under reports/formats = one format.
struct Format {
  std::string name, about;
  std::string (*render)(const Report&, const FormatOptions&);
};
const std::vector<Format>& all_formats();
const Format& find_format(const std::string& name);  // throws Error listing the known names

}  // namespace lastbit
