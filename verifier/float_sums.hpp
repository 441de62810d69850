// float_sums.hpp: the integer sums inside a matrix product whose runtime dequantizes its operands first and multiplies in float32.
#pragma once
#include <functional>
#include <memory>

#include "verifier/cause.hpp"

namespace lastbit {

/// y = clamp(round(acc * sa * sb / so) + zo), the zero point inside the rounding or after it, known up to the error of a float32 sum in
/// any order: where that error reaches both sides of a boundary, an observed value of either side is the change's own.
class FloatSums {
 public:
  static bool applies(const Case&);
  explicit FloatSums(const Case&);

  const std::vector<std::int64_t>& sums() const { return acc_; }
  /// The sums of other operands: `edit` gets the rows of a and the columns of b of every matrix of the batch, b as [N, K].
  std::vector<std::int64_t> sums_of(const std::function<void(const Geometry&, AccumulationInput&)>& edit) const;
  /// The sum of an element in a register that saturates after every product.
  std::int64_t saturating(std::int64_t element, int bits) const;
  /// `multiplier`: what becomes of sa * sb / so; empty: nothing.
  Values values(const std::function<std::int64_t(std::int64_t element)>& acc, const std::vector<std::int64_t>& elements, const std::function<double(double)>& multiplier = {}) const;

 private:
  const Case& case_;
  std::vector<std::int64_t> acc_, size_;  // by element: the sum, and the sum of the sizes of its products
  std::int64_t terms_ = 0;
  std::vector<AccumulationInput> operands_;  // of every matrix of the batch
};

/// A suspect whose sums are these.
Suspect float_sums_suspect(std::shared_ptr<const FloatSums>, std::string name, std::string sentence, std::function<std::int64_t(std::int64_t element)> acc, std::function<double(double)> multiplier = {});

}  // namespace lastbit
