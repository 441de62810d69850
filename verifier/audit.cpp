// audit.cpp: see audit.hpp.
#include "verifier/audit.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "verifier/parallel.hpp"
#include "verifier/audit_parts.hpp"

namespace lastbit {
namespace {

const std::vector<std::string> dangers{"none", "possible", "saturate", "wrap"};

std::vector<int> widths_of(const AuditOptions& options) {
  std::vector<int> widths{16, 24, 32};
  widths.insert(widths.end(), options.acc.begin(), options.acc.end());
  std::sort(widths.begin(), widths.end());
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  return widths;
}

void audit_layer(const AuditOptions& options, const Dump& dump, const LayerEntry& entry, LayerReport& report, LayerAudit& a) {
  const ChosenProfile chosen = choose_profile(dump, entry, options.verify.profile);
  const Operator* op = find_operator(entry.op);
  if (!obstacle(entry, chosen, op).empty()) return;
  Layer bound = bind_layer(dump, entry, chosen.isa);
  const Cell* cell = cell_for(*chosen.profile, *op, bound);
  if (!cell) return;
  const Audited l{dump, *op, *chosen.profile, *cell, evaluate(std::move(bound), *op, *cell), chosen.isa};
  const auto sums = sums_of(l.own.layer, *op, *cell);
  observe(l, sums ? &*sums : nullptr, a);
  bool wraps = a.observed.wrapped.count > 0 || a.observed.preshift_overflow > 0, saturates = a.observed.saturated.count > 0 || a.observed.pair_saturated.count > 0;
  if (!sums) {
    a.danger = wraps ? "wrap" : saturates ? "saturate" : "none";
    return;
  }
  a.accumulates = true;
  prove(l, *sums, widths_of(options), a);
  const Variant plain = without_vnni(*chosen.profile, *op, l.own.layer, options.pairs_isa);
  audit_pairs(l, *sums, plain, a);
  if (options.pairs && plain.cell) {
    a.costs.push_back(isolated_cost(l, plain.layer, *plain.cell, plain.label));
    saturates |= a.costs.back().pair_saturated.count > 0;
  }
  int narrowest = cell->get("accumulator", "int32") == "int32" ? 32 : 64;
  for (const int bits : options.acc) {  // a chosen register is in danger where it overflows, whatever the runtime's own does
    Cell narrow = *cell;
    narrow.with["register"] = std::to_string(bits) + "-" + options.overflow;
    a.costs.push_back(isolated_cost(l, l.own.layer, narrow, narrow.with["register"]));
    wraps |= a.costs.back().wrapped.count > 0, saturates |= a.costs.back().saturated.count > 0;
    narrowest = std::min(narrowest, bits);
  }
  if (!options.witness.empty()) a.witness = write_witness(l, *sums, options.verify.dumps.size() > 1 ? options.witness + "/" + dump.name() : options.witness);
  const bool pairs_matter = options.pairs || cell->get("pairs", "none") == "int16";
  a.danger = wraps ? "wrap" : saturates ? "saturate" : a.smallest_safe_bits > narrowest || (pairs_matter && a.pairs.possible > 0) ? "possible" : "none";
  report.pairs = a.pairs;
}

}  // namespace

Audit audit(const AuditOptions& options) {
  Audit result;
  VerifyOptions verify = options.verify;
  verify.forms = {"integer"};
  verify.causes = false;
  if (options.verify.progress) verify.progress = [&](std::size_t done, std::size_t of) { options.verify.progress(done, 2 * of); };
  result.report = verify_dumps(verify);
  std::vector<Dump> dumps;
  for (const auto& path : verify.dumps) dumps.push_back(Dump::open(path, verify.profile.empty()));
  std::vector<std::pair<const Dump*, const LayerEntry*>> work;
  for (const auto& d : dumps)
    for (const auto& e : d.layers())
      if (verify.layer_glob.empty() || glob_matches(verify.layer_glob, e.name)) work.emplace_back(&d, &e);
  ensure(work.size() == result.report.layers.size(), "an audit saw other layers than the verification");
  result.layers.resize(work.size());
  parallel(work.size(), verify.jobs, [&](std::size_t i) {
    result.layers[i].layer = i;
    audit_layer(options, *work[i].first, *work[i].second, result.report.layers[i], result.layers[i]);
  }, [&](std::size_t done, std::size_t of) {
    if (options.verify.progress) options.verify.progress(of + done, 2 * of);
  });
  if (!options.acc.empty() || options.pairs)
    for (const auto& d : dumps) {
      std::vector<LayerAudit*> audits;
      std::vector<const LayerReport*> reports;
      std::vector<const LayerEntry*> entries;
      for (std::size_t i = 0; i < work.size(); ++i)
        if (work[i].first == &d) audits.push_back(&result.layers[i]), reports.push_back(&result.report.layers[i]), entries.push_back(work[i].second);
      chain_costs(options, d, entries, audits, reports, result.network);
    }
  const auto rank = [](const std::string& danger) { return std::find(dangers.begin(), dangers.end(), danger.empty() ? "none" : danger) - dangers.begin(); };
  const bool fails = !options.fail_on.empty() && std::any_of(result.layers.begin(), result.layers.end(), [&](const LayerAudit& a) { return rank(a.danger) >= rank(options.fail_on); });
  const bool any = std::any_of(result.layers.begin(), result.layers.end(), [](const LayerAudit& a) { return !a.danger.empty(); });
  result.status = !any ? 5 : fails ? 1 : 0;
  return result;
}

}  // namespace lastbit
