// audit.hpp: could a layer overflow, did it, where, and what did it cost? From files alone.
#pragma once
#include <string>
#include <vector>

#include "reports/report.hpp"
#include "verifier/verify.hpp"

namespace lastbit {

struct AuditOptions {
  VerifyOptions verify;
  std::vector<int> acc;                // registers of so many bits: headroom against them besides 16, 24, 32, and the cost of each
  std::string overflow = "wrap";       // what they do: wrap or saturate
  bool pairs = false;                  // cost under int16 pairs of the profile's variant without VNNI
  std::string pairs_isa;               // that variant's instruction set; empty: avx2, or the dump's own where it has no VNNI
  std::string witness;                 // directory for witness dumps
  std::string fail_on;                 // "", wrap, saturate, possible
};

/// Output elements to which something happened, and the first, in the stored array's axes.
struct Happened {
  std::int64_t count = 0;
  std::vector<std::int64_t> first;     // empty: none
};

/// Bits to spare in a register; negative: bits missing.
struct Headroom {
  int bits = 0;
  double observed = 0, worst = 0;
};

/// What was seen of accumulators and outputs: of one channel, or of a layer.
struct Observed {
  std::int64_t elements = 0;
  std::int64_t min = 0, max = 0, partial_min = 0, partial_max = 0;   // final sums, and over all partial sums in the runtime's order
  Happened wrapped, saturated, pair_saturated;
  std::int64_t clamped_low = 0, clamped_high = 0, clamped_only_reference = 0, clamped_only_dump = 0;   // outputs at an end of their range
  std::int64_t inexact_float = 0;      // accumulators that float32 cannot hold
  std::int64_t preshift_overflow = 0;  // left shifts of fixed-point multiplication that lost bits
};

/// One output channel.
struct ChannelAudit {
  Observed observed;
  std::int64_t worst_min = 0, worst_max = 0;                         // proved over all inputs
  int worst_bits = 0;
  std::vector<Headroom> headroom;
  std::int64_t pairs_possible = 0;                                   // pairs of products that can saturate int16
  std::int64_t pairs_observed = 0;                                   // elements in which some do, from the dumped input
  std::int64_t pairs_error = 0;                                      // what they can take off or add to the accumulator, together
  double pairs_error_lsb = 0;                                        // the same in output LSB, before any clamp
};

struct ChangedElement {
  std::vector<std::int64_t> index;     // in the stored array's axes
  double from = 0, to = 0;             // integers, or floats
};

/// The layer's output under another register model against its own.
struct Cost {
  std::string model;                   // "24-saturate", "pytorch-fbgemm@avx2"
  std::string output = "y";            // or "accumulator", where nothing else was dumped
  bool floats = false;                 // LSB are then units in the last place, and max_error says more
  std::int64_t elements = 0, changed = 0, max_lsb = 0;               // isolated: from the dumped inputs
  double mean_lsb = 0, max_error = 0;                                // max_error in real units
  Happened wrapped, saturated, pair_saturated;                       // under the model
  std::int64_t chained_changed = 0, chained_max_lsb = 0;             // with what earlier layers hand down under the model
  double chained_max_error = 0;
  std::vector<ChangedElement> which;   // isolated, in order
};

/// What reaches an output of the network.
struct NetworkCost {
  std::string dump, layer, output, model;
  std::int64_t elements = 0, changed = 0, max_lsb = 0;
  double max_error = 0;                // in real units
  bool floats = false;
};

/// An input that reaches the worst case.
struct WitnessDump {
  std::string path;                    // empty: none asked for
  std::int64_t bound = 0, accumulator = 0;   // they differ where pairs saturate or a register wraps
};

struct LayerAudit {
  std::size_t layer = 0;               // index into report.layers
  bool accumulates = false;
  Observed observed;
  std::vector<ChannelAudit> channels;
  std::vector<Headroom> headroom;
  int smallest_safe_bits = 0;          // the register that can never overflow
  int b_fixed_bits = 0;                // matmul: the same where b is what was dumped, and only a is an input; 0 elsewhere
  PairSummary pairs;
  std::string pairs_rule;              // why pairs cannot saturate, when they cannot
  std::vector<Cost> costs;
  WitnessDump witness;
  std::string danger;                  // "wrap", "saturate", "possible", "none"; empty: not checked
};

struct Audit {
  Report report;
  std::vector<LayerAudit> layers;      // in the report's order
  std::vector<NetworkCost> network;
  int status = 0;
};
Audit audit(const AuditOptions&);
std::string to_text(const Audit&, const AuditOptions&);
std::string to_json(const Audit&);

}  // namespace lastbit
