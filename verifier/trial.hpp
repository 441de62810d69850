// trial.hpp: what a suspect makes of a case's elements: of a few, of more, of all.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verifier/cause.hpp"

namespace lastbit {

constexpr std::int64_t small_layer = 4096;  // elements of a layer that is always computed in full
/// Whether forming every sum anew costs so much that a few elements must do.
inline bool has_long_sums(const Case& c) { return c.accumulates() && c.size() * c.geometry().terms() > 2000000; }

struct Tried {
  Suspect suspect;
  std::vector<std::int64_t> explained;  // differing elements reproduced; when not `whole`, those of the sample
  std::int64_t broken = 0;              // agreeing elements changed
  std::int64_t contradicted = 0;        // differing elements changed to something else than the observed value
  std::int64_t tried = 0, differing = 0;  // elements, and those of them that differ
  double share = 0;                     // right elements among those tried
  bool whole = false;                   // all elements were tried
  bool counted = true;                  // else `broken` has the first alone
  /// Breaks nothing, and speaks for more of the difference than against it: what is left may have another cause.
  bool plausible() const { return whole && broken == 0 && !explained.empty() && static_cast<std::int64_t>(explained.size()) > contradicted; }
  /// What speaks against it where nothing agrees, so that nothing can be broken: three times as much as for it.
  bool out() const { return explained.empty() || broken > 0 || contradicted > 3 * static_cast<std::int64_t>(explained.size()); }
};

class Trial {
 public:
  explicit Trial(const Case&);

  /// On a few elements; null when the suspect reproduces none of those that differ, or does not fit the layer.
  std::optional<Tried> of_few(const Suspect&) const;
  /// What is not out by a few elements, on more of them where they are cheap; else as it was.
  Tried of_more(Tried) const;
  /// On all elements, block by block as long as it is plausible, or to the end. `count`: a block that breaks something is judged whole, too.
  /// Null where it does not fit.
  std::optional<Tried> in_full(Tried, bool to_the_end = false, bool count = false) const;
  /// The same no further than a few blocks.
  bool breaks_soon(const Tried&) const;

 private:
  std::optional<Tried> of_some(const Suspect&, const Sample&, bool until_broken = false) const;
  std::optional<Tried> judged(Tried, bool to_the_end, bool count) const;
  const Case& case_;
  const Sample &sample_, &probe_, &costly_sample_;
};

}  // namespace lastbit
