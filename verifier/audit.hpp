// audit.hpp: could a layer overflow, did it, where, and what did it cost? From files alone.
#pragma once
#include <string>
#include <vector>

#include "reports/report.hpp"
#include "verifier/verify.hpp"

namespace lastbit {

struct AuditOptions {
  VerifyOptions verify;
  std::vector<int> widths;             // registers to measure headroom against, besides 16, 24, 32
  int acc_bits = 0;                    // cost under this register; 0: none
  std::string overflow = "wrap";       // or saturate
  bool pairs = false;                  // cost under int16 pairs of the profile's variant without VNNI
  std::string witness;                 // directory for witness dumps
  std::string fail_on;                 // "", wrap, saturate, possible
};

/// One output channel.
struct ChannelAudit {
  std::int64_t min = 0, max = 0, partial_min = 0, partial_max = 0;   // observed: final sums, and over all partial sums
  std::int64_t worst_min = 0, worst_max = 0;                         // proved over all inputs
  int worst_bits = 0;
  std::int64_t pairs_possible = 0;                                   // pairs of products that can saturate int16
  double pairs_error_lsb = 0;                                        // largest error they can make in the output, unclamped
};

struct Headroom {
  int bits = 0;
  double observed = 0, worst = 0;      // bits to spare; negative: bits missing
};

struct ChangedElement {
  std::vector<std::int64_t> index;
  std::int64_t from = 0, to = 0;
};

struct Cost {
  std::string model;                   // "24-saturate", "pytorch-fbgemm@avx2"
  std::int64_t elements = 0, changed = 0, max_lsb = 0, chained_changed = 0, chained_max_lsb = 0;
  double mean_lsb = 0;
  std::vector<ChangedElement> which;   // isolated, in order; at most 100000
};

struct LayerAudit {
  std::size_t layer = 0;               // index into report.layers
  bool accumulates = false;
  std::vector<ChannelAudit> channels;
  std::vector<Headroom> headroom;
  int smallest_safe_bits = 0;          // the register that can never overflow
  std::vector<std::int64_t> first_wrap, first_saturation;   // index of the first, empty: none
  double clamped_low = 0, clamped_high = 0;                 // share of outputs at each end
  std::int64_t clamped_only_reference = 0, clamped_only_dump = 0;
  std::int64_t inexact_float = 0;      // accumulators that float32 cannot hold
  std::int64_t preshift_overflow = 0;  // left shifts of fixed-point multiplication that lost bits
  PairSummary pairs;
  std::string pairs_rule;              // why pairs cannot saturate, when they cannot
  std::vector<Cost> costs;
  std::string witness;                 // where it was written
  std::string danger;                  // "wrap", "saturate", "possible", "none"
};

struct Audit {
  Report report;
  std::vector<LayerAudit> layers;      // in the report's order
  int status = 0;
};
Audit audit(const AuditOptions&);
std::string to_text(const Audit&, const AuditOptions&);
std::string to_json(const Audit&);

}  // namespace lastbit
