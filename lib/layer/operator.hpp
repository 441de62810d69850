// operator.hpp: the meaning of a layer. One file = one operator; the folder is the registry (cmake/Table.cmake).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/num/exact.hpp"
#include "lib/num/round.hpp"
#include "lib/layer/layer.hpp"
#include "lib/profile/profile.hpp"
#include "lib/profile/requantize.hpp"

namespace lastbit {

/// A result that cannot be known from a dump: any value in [lo, hi] may be the runtime's.
struct Interval {
  std::int64_t index;
  double lo, hi;  // inclusive, in the output's own values (integers, or floats)
};

/// One output, recomputed. Integers are in q, floats in f; the other is empty.
struct Computed {
  Shape shape;
  std::vector<std::int32_t> q;
  std::vector<float> f;
  std::vector<Interval> undefined;               // sorted by index
  std::vector<Events> events;                    // per element, or empty
  std::vector<std::int64_t> acc;                 // per element: what requantization starts from; empty where there is none
  std::optional<Quantization> chosen;            // qparams computed at run time, compared with the dumped ones
};

/// A layer recomputed in integer form.
struct Result {
  std::map<std::string, Computed> outputs;       // by port
  bool exact_accumulator = true;                 // acc is the true sum: nothing wrapped, saturated or paired
  std::int64_t acc_min = 0, acc_max = 0;         // over all elements
  std::string kernel = "plain";                  // which accumulation ran
};

/// The real number of every element of the output "y" before it is rounded to storage (and before a clamp), in real units.
/// f32 and f64 are the float form: dequantize and compute in float32 and in float64. `approx` (f64 when empty) is the
/// certified filter: |approx[i] - exact(i)| <= bound[i]; exact(i) is asked only where that does not decide.
struct Real {
  std::vector<float> f32;
  std::vector<double> f64;
  std::vector<double> approx;
  std::vector<double> bound;
  std::function<Exact(std::int64_t)> exact;
  bool irrational = false;                       // exact values are intervals: exponentials, roots
  std::function<std::int64_t(std::int64_t)> alike;  // may be empty; elements of one number have one exact value
  const std::vector<double>& filter() const { return approx.empty() ? f64 : approx; }
};

struct Port {
  std::string name;
  std::string what;        // for `lastbit list operators`: "uint8, int8 […, I]"
  bool optional = false;
};

struct AttributeSpec {
  std::string name;
  std::string what;        // "integers, one per spatial axis, >= 1"
};

struct Operator {
  std::string name;                              // as in a dump
  std::vector<std::string> families;             // further names under which profiles hold its cell: "conv", "accumulate"
  std::string formula;
  std::vector<Port> inputs;                      // a name ending in "*" stands for x0, x1, ...
  std::vector<Port> outputs;
  std::vector<AttributeSpec> attributes;
  std::vector<std::string> rules;                // names a profile's cell may use; the first is the default
  bool spatial = false;                          // reads tensors through `layout` in NC… order

  /// Shapes, attributes, dtypes against each other; throws Error. Called before run, and by `lastbit info`.
  void (*check)(const Layer&) = nullptr;
  /// The profile's own arithmetic.
  Result (*run)(const Layer&, const Cell&) = nullptr;
  /// The real value of "y". May be null for operators without one (indices, moved bits).
  Real (*real)(const Layer&, const Result&) = nullptr;
  /// How many of the first axes of "x" and "y" only count rows: an element is made of its own row of x, by no row's number, whichever other
  /// rows there are. By a cell's rule, or (null) as a real value. May be null: none.
  std::size_t (*row_axes)(const Layer&, const Cell*) = nullptr;
  /// Facts of its own that profiles ask for (besides common_facts).
  void (*facts)(const Layer&, std::set<std::string>&) = nullptr;
};

const std::vector<Operator>& all_operators();
const Operator* find_operator(const std::string& name);

/// What an operator's own lists say: attributes of the type that they name, outputs that there are. Throws Error.
void check_declared(const Layer&, const Operator&);
/// Whether a dump may hold this output: one of the operator's, or the accumulator.
bool declares(const Operator&, const std::string& output);

/// The cell of a profile for a layer; null: this profile does not hold the operator. A rule that the operator does not have
/// throws Error.
const Cell* cell_for(const Profile&, const Operator&, const Layer&);

/// Throws Error unless the observed output `port` has this shape.
void expect_shape(const Layer&, const std::string& port, const Shape&);

/// Stored range of an output: qmin..qmax of the dump, else of its dtype.
struct Range {
  std::int64_t min, max;
};
Range stored_range(const Tensor&);
/// The same with a fused activation: relu from the zero point up, relu6 to round(6 / so) + zo (rounded by `bound`),
/// or the explicit clamp. `with_zero_point`: round(f32(6 / so) + zo), as XNNPACK does.
Range activated_range(const Layer&, const Tensor& y, Rounding bound = Rounding::half_even, bool with_zero_point = false);


}  // namespace lastbit
