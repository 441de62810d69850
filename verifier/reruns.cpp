// reruns.cpp: a case's operator run again, on another layer or by another cell, and its real values. See cause.hpp.
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/recurrent.hpp"
#include "verifier/cause.hpp"
#include "verifier/parts.hpp"
#include "verifier/sum_stage.hpp"

namespace lastbit {

/// What is kept of the layer's own real values: of all elements, and of some; each refers to the layer that it was made of.
struct Case::Reals {
  struct Kept {
    Layer layer;
    std::shared_ptr<const Part> part;
    std::shared_ptr<const Real> real;
    std::shared_ptr<Sides> sides = std::make_shared<Sides>();
  };
  std::vector<std::shared_ptr<const Kept>> own;
  std::optional<bool> fractions;
  struct Other {  // of layers that live as long as they are asked for
    const Layer* of;
    std::vector<std::int64_t> elements;
    RealPart values;
  };
  std::vector<Other> others;
  std::vector<std::pair<const Layer*, const Layer*>> shared;
  const Layer* source(const Layer* of) const {
    const auto at = std::find_if(shared.begin(), shared.end(), [&](const auto& s) { return s.first == of; });
    return at == shared.end() ? of : at->second;
  }
};

std::shared_ptr<Case::Reals> Case::new_reals() { return std::make_shared<Reals>(); }

void Case::share_real_values(const Layer& of, const Layer& with) const { real_->shared.emplace_back(&of, real_->source(&with)); }

std::size_t Case::RealPart::place(std::size_t k) const { return part ? part->at[k] : k; }
std::size_t Case::RealPart::size(std::int64_t elements) const { return part ? part->size() : static_cast<std::size_t>(elements); }

Case::RealPart Case::real_values(const Layer& asked, const std::vector<std::int64_t>& elements) const {
  const Layer& of = *real_->source(&asked);
  constexpr std::size_t own_kept = 8, others_kept_whole = 3;
  const bool own = &of == &layer;
  for (const auto& k : real_->others)
    if (k.of == &of && (k.elements == elements || (!k.values.part && !has_parts()))) return k.values;
  const auto part = parts_ ? parts_->part(of, nullptr, elements) : nullptr;
  if (own)
    for (const auto& k : real_->own)
      if (k->part == part) return {{k, k->real.get()}, k->sides, part};
  const auto kept = std::make_shared<Reals::Kept>(Reals::Kept{part ? part->in_place_of(of) : of, part, nullptr, std::make_shared<Sides>()});
  Result result;
  if (!part && own) result.outputs[port] = expected;
  kept->real = std::make_shared<const Real>(op.real(kept->layer, result));
  const RealPart values{{kept, kept->real.get()}, kept->sides, part};
  if (own) {
    if (real_->own.size() >= own_kept) real_->own.erase(real_->own.begin());
    real_->own.push_back(kept);
  } else {
    if (real_->others.size() >= others_kept_whole) real_->others.erase(real_->others.begin());
    real_->others.push_back({&of, elements, values});
  }
  return values;
}

bool Case::has_fractions(const Layer& asked) const {
  const Layer& of = *real_->source(&asked);
  const bool own = &of == &layer;
  if (own && real_->fractions) return *real_->fractions;
  const auto is_fraction = [&](const RealPart& values, std::size_t n) -> std::optional<bool> {
    if (values.real->irrational || !values.real->exact || values.real->f64.size() != values.size(size())) return false;
    for (std::size_t k = 0; k < n; ++k)
      if (const std::size_t at = values.place(k); std::isfinite(values.real->f64[at])) return values.real->exact(static_cast<std::int64_t>(at)).is_point();
    return std::nullopt;
  };
  std::optional<bool> fractions;
  if (has_parts()) fractions = is_fraction(real_values(of, {0}), 1);
  if (!fractions) fractions = is_fraction(real_values(of, {}), static_cast<std::size_t>(size())).value_or(false);
  if (own) real_->fractions = fractions;
  return *fractions;
}

namespace {

/// What changes every step of a recurrent layer shows in the first one.
bool fits_first_step(const Layer& layer, const Cell& cell) {
  const auto first = recurrent_first_step(layer, cell);
  const Tensor& y = layer.out();
  const auto right = std::count_if(first.begin(), first.end(), [&](const auto& e) {
    const double observed = y.value(static_cast<std::int64_t>(e.first));
    return observed >= static_cast<double>(e.second.lo) && observed <= static_cast<double>(e.second.hi);
  });
  return 2 * right >= static_cast<std::ptrdiff_t>(first.size());
}

}  // namespace

/// Element by element, what its combination of codes came to.
Values Case::values_of(const Part& part, const Result& result, const std::vector<std::int64_t>& elements) const {
  const Computed& c = result.outputs.at(port);
  std::vector<const Interval*> open(c.undefined.empty() ? 0 : c.q.size());
  for (const auto& u : c.undefined) open[static_cast<std::size_t>(u.index)] = &u;
  Values v(part.at.size());
  if (open.empty()) {
    for (std::size_t k = 0; k < v.size(); ++k) v[k] = static_cast<double>(c.q[part.at[k]]);
    return v;
  }
  for (std::size_t k = 0; k < v.size(); ++k) {
    v[k] = static_cast<double>(c.q[part.at[k]]);
    if (!open[part.at[k]]) continue;
    if (const double o = observed_value(elements.empty() ? static_cast<std::int64_t>(k) : elements[k]); o >= open[part.at[k]]->lo && o <= open[part.at[k]]->hi) v[k] = o;
  }
  return v;
}

std::int64_t Case::together() const { return parts_ ? parts_->together() : 1; }

bool Case::takes(const Layer& other, const Cell& with) const {
  try {
    check_declared(other, op);
    op.check(other);
  } catch (const Error&) {
    return false;  // a change that the operator does not take: an input without a scale, other shapes
  }
  return with.rule != "per_step" || fits_first_step(other, with);
}

std::optional<Values> Case::rerun_part(const Layer& other, const Cell& with, const std::vector<std::int64_t>& elements) const {
  const auto part = parts_ ? parts_->part(other, &with, elements) : nullptr;
  if (!part) return std::nullopt;
  const Result result = op.run(part->in_place_of(other), with);
  const auto y = result.outputs.find(port);
  if (y == result.outputs.end() || y->second.q.size() != part->size()) return std::nullopt;
  return values_of(*part, result, elements);
}

Values Case::rerun_whole(const Layer& other, const Cell& with) const {
  const Result result = op.run(other, other.op == "conv2d_add" ? without_sum(with) : with);
  const auto it = result.outputs.find(port);
  if (it == result.outputs.end()) return {};
  const Computed& c = it->second;
  const std::size_t n = std::max(c.q.size(), c.f.size());
  if (static_cast<std::int64_t>(n) != size()) return {};
  Values all(n);
  for (std::size_t i = 0; i < n; ++i) all[i] = c.f.empty() ? static_cast<double>(c.q[i]) : static_cast<double>(c.f[i]);
  for (const auto& u : c.undefined)  // any value of the interval is the change's own
    if (const double o = observed_value(u.index); o >= u.lo && o <= u.hi) all[static_cast<std::size_t>(u.index)] = o;
  return all;
}

Values at_elements(const Values& all, const std::vector<std::int64_t>& elements) {
  if (elements.empty() || all.empty()) return all;
  Values v;
  v.reserve(elements.size());
  for (const auto i : elements) v.push_back(all[static_cast<std::size_t>(i)]);
  return v;
}

Values Case::rerun(const Layer& other, const Cell& with, const std::vector<std::int64_t>& elements) const {
  if (!takes(other, with)) return {};
  ++cost_->runs;
  if (auto some = rerun_part(other, with, elements)) return std::move(*some);
  return at_elements(rerun_whole(other, with), elements);
}

std::function<Values(const std::vector<std::int64_t>&)> Case::runs(std::shared_ptr<const Layer> other, Cell with) const {
  struct Known {
    std::optional<bool> takes{};
    std::optional<Values> whole{};
  };
  return [this, other = std::move(other), with = std::move(with), known = std::make_shared<Known>()](const std::vector<std::int64_t>& elements) -> Values {
    if (!known->takes) known->takes = takes(*other, with);
    if (!*known->takes) return {};
    if (!known->whole) {
      ++cost_->runs;
      if (!elements.empty())
        if (auto some = rerun_part(*other, with, elements)) return std::move(*some);
      known->whole = rerun_whole(*other, with);
    }
    return at_elements(*known->whole, elements);
  };
}

Suspect rerun_suspect(const Case& c, std::string name, std::string sentence, Layer layer, int rank) {
  const auto other = std::make_shared<const Layer>(std::move(layer));
  Suspect s{std::move(name), std::move(sentence), rank, c.runs(other, c.cell), true};
  s.layer = other;
  return s;
}

}  // namespace lastbit
