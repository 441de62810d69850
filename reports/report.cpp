// report.cpp: what a report says as a whole.
#include "reports/report.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::identical:      return "identical";
    case Verdict::different:      return "different";
    case Verdict::not_checked:    return "not_checked";
    case Verdict::undefined_only: return "undefined_only";
  }
  throw InternalError("a verdict without a name");
}

bool differs(const LayerReport& layer) {
  return layer.verdict == Verdict::different || (layer.chained && layer.chained->mismatches > 0);
}

bool fails(const Report& report, const LayerReport& layer) {
  if (!report.gate) return differs(layer);
  const auto about = [&](const GateFinding& f) { return f.layer == layer.name && f.dump == layer.dump; };
  return std::any_of(report.gate->findings.begin(), report.gate->findings.end(), about);
}

Verdict Report::verdict() const {
  if (first_divergence()) return Verdict::different;
  const auto blind = [](const LayerReport& layer) { return layer.verdict == Verdict::not_checked; };
  return layers.empty() || std::any_of(layers.begin(), layers.end(), blind) ? Verdict::not_checked : Verdict::identical;
}

const LayerReport* Report::first_divergence() const {
  const auto found = std::find_if(layers.begin(), layers.end(), differs);
  return found == layers.end() ? nullptr : &*found;
}

// An undefined element was compared too, with an interval: undefined_only counts as identical.
std::int64_t Report::elements() const {
  std::int64_t sum = 0;
  for (const LayerReport& layer : layers)
    if (layer.verdict != Verdict::not_checked) sum += layer.elements;
  return sum;
}

int Report::exit_status() const {
  if (gate) return elements() == 0 ? 5 : gate->passed() ? 0 : 1;
  if (first_divergence()) return 1;
  return elements() == 0 ? 5 : 0;
}

const Format& find_format(const std::string& name) {
  std::string known;
  for (const Format& format : all_formats()) {
    if (format.name == name) return format;
    known += (known.empty() ? "" : ", ") + format.name;
  }
  throw Error("--format " + name, "is not a format, expected one of " + known);
}

}  // namespace lastbit
