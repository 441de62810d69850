// real_forms.hpp: the real values of a layer that does not accumulate, brought to stored integers by one rounding.
#pragma once
#include <array>

#include "lib/num/round.hpp"
#include "verifier/cause.hpp"

namespace lastbit {

/// How the value comes to stored units.
struct RealForm {
  const char* words;
  bool single;                                                      // the zero point, too, is added in float32
  bool exact;                                                       // beside a boundary the exact value decides
  double (*scaled)(const Real&, std::size_t, double so);
};
extern const std::array<RealForm, 4> real_forms;

/// Whether the output is quantized and the operator has real values.
bool has_real_forms(const Case&);

struct RealRounding {
  const RealForm* form;
  Rounding mode;
  bool inside;                                                      // the zero point is added before the rounding
};
/// The output of a layer like the case's, whose real values are those of `of`, at the given elements (all when empty); empty where they
/// are not as many as the output has. Up, down or to zero: where the value is an integer but for the error of float arithmetic, an observed value of
/// either side is the rounding's own, unless most values are: then nothing was rounded.
Values rounded_real_values(const Case&, const Layer&, const Layer& of, const RealRounding&, const std::vector<std::int64_t>& elements);

}  // namespace lastbit
