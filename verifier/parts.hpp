// parts.hpp: elements of a layer without the others: a smaller layer that a rule is tried on instead of the whole one.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// Some elements of a layer, or all: what computes them, and where in it each stands.
struct Part {
  explicit Part(std::vector<std::uint32_t> places) : at(std::move(places)) {}
  virtual ~Part() = default;
  /// The layer that computes them; its facts stay. Reads this part.
  virtual Layer in_place_of(const Layer&) const = 0;
  /// How many elements its output has.
  virtual std::size_t size() const = 0;
  std::vector<std::uint32_t> at;    // by element asked for; of all elements: by element
};

class Parts {
 public:
  virtual ~Parts() = default;
  /// The elements asked for (all when empty) of a layer whose output has the same shape, by a cell's rule or (null) as real values. Null
  /// where the whole layer is run as fast.
  virtual std::shared_ptr<const Part> part(const Layer&, const Cell*, const std::vector<std::int64_t>& elements) = 0;
  /// Elements that are computed together: a few are asked for out of as few of these rows as will do.
  virtual std::int64_t together() const = 0;
};

}  // namespace lastbit
