// cause.hpp: rule changes that may explain why a layer differs. One file under verifier/causes = one family of causes.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/dump/dump.hpp"
#include "lib/layer/operator.hpp"
#include "lib/rules/accumulation.hpp"
#include "verifier/compare.hpp"
#include "verifier/operands.hpp"

namespace lastbit {

/// Values of an output as numbers: integers, or float32 values. NaN equals NaN.
using Values = std::vector<double>;
bool same_value(double a, double b);
/// Those of some elements (all when empty).
Values at_elements(const Values& all, const std::vector<std::int64_t>& elements);

using Stages = std::vector<std::string>;

struct Part;
class Parts;

/// A narrower register as a stage of its own: under the sum, or under the sum with the integer bias.
struct Held {
  int bits;
  bool saturates, after_bias;
};

/// What a suspect changes in a layer that accumulates. Unset: as the profile has it.
struct Change {
  std::optional<Stages> stages{};                                     // all stages anew
  std::function<Stages(const Stages&)> edit{};                        // then altered: two edits go together
  std::vector<Held> held{};                                           // then put in, one before the other: the last is the first that a sum meets
  std::optional<Cell> cell{};                                         // other pairs or registers
  OtherOperands input{};                                              // other operands
  std::function<void(RequantizeContext&)> context{};                  // other scales, bias, zero point, range
  bool across_channels = false;                                       // `context` gives a channel another's weight scale, and changes nothing else
  std::function<std::int64_t(std::int64_t acc, std::int64_t element)> accumulator{};  // after the sum
  std::function<std::int64_t(std::int64_t element)> sum{};            // instead of the sum
};

/// The stages of a case, bound to channels. A convolution with a sum behind it (conv2d_add) has two lists: what comes to a float, and
/// what becomes of it once the other operand is added.
struct Finisher {
  Requantizer stages;
  std::optional<Requantizer> after_sum{};
  bool fused = true;                                                // the sum is one fused multiply-add
};

/// A few elements of a case: verifier/sample.hpp.
struct Sample {
  std::vector<std::int64_t> elements;                               // those that differ first
  std::size_t differing = 0;
};

/// What the trials of a case have cost: passes over all products of the layer, and whole runs of its operator.
struct Cost {
  std::int64_t accumulations = 0, runs = 0;
};

/// One output of a layer that differs, with what has been computed already: causes try their changes on it.
class Case {
 public:
  Case(const Dump&, const LayerEntry&, const Layer&, const Operator&, const Profile&, const Cell&, const Computed& expected, const std::string& port, const Comparison&);

  const Dump& dump;
  const LayerEntry& entry;
  const Layer& layer;
  const Operator& op;
  const Profile& profile;
  const Cell cell;                                                  // of conv2d_add: with the sum and what follows it as stages, see sum_stage.hpp
  const Computed& expected;
  const std::string port;
  const Tensor& observed;
  const std::vector<std::int64_t> differing;

  std::int64_t size() const { return observed.size(); }
  double expected_value(std::int64_t i) const;
  double observed_value(std::int64_t i) const;

  /// Whether the layer accumulates; geometry(), numbers() and accumulators() are then there. Computed once.
  bool accumulates() const { return accumulation_ != nullptr; }
  /// Whether another profile's stages come to the output as this one's do: of the same sums, with nothing chosen at run time or added.
  bool is_plain() const { return accumulates() && &base() == &layer && layer.op != "conv2d_add"; }
  const Geometry& geometry() const;
  const AccumulationInput& numbers() const;                         // zero points and scale; no values
  const AccumulationInput& input() const;                           // with values, widened when first asked for
  AccumulationInput read(const OtherOperands&) const;               // the same, read otherwise
  AccumulationInput product_of(const Layer&) const;                 // another matrix product's operands, of the same shapes
  const std::vector<std::int64_t>& accumulators() const;            // as the profile's registers hold them, bias not added, by element
  const Layer& base() const;                                        // the layer, or what it is once its input was quantized at run time
  const Tensor& left() const;                                       // x, or a of a matrix product
  const Tensor& right() const;                                      // the weight, or b
  std::string right_port() const;
  /// Whether the sums are of this input's elements: not so of what conv2d_add adds to them.
  bool sums_over(const std::string& port) const { return accumulates() && (port == right_port() || port == left_port()); }
  std::string left_port() const;
  bool has_float_bias() const;
  bool has_padding() const;                                         // a tap of some position lies outside the input
  std::int64_t channel_of(std::int64_t element) const;              // whose scales and bias it has
  std::int64_t channels() const;
  /// Where the geometry counts this element of the output: a matrix product's batch stands as groups, its columns before its rows.
  std::int64_t slot(std::int64_t element) const;
  /// f(tap, channel, x - xz, w - wz, outside) over the products of an element.
  template <class F>
  void products(std::int64_t element, F f) const {
    for_each_place(geometry(), slot(element), [&, x = x_, w = w_, xz = numbers().x_zero_point, wz = zero_point_of(numbers().w_zero_point, element)](std::int64_t tap, std::int64_t channel, std::int64_t at_x, std::int64_t at_w) {
      f(tap, channel, at_x < 0 ? 0 : x(at_x) - xz, w(at_w) - wz, at_x < 0);
    });
  }
  /// f(x, w, outside) over the same as stored: x and w as the layer has them.
  template <class F>
  void operands(std::int64_t element, F f) const {
    for_each_place(geometry(), slot(element), [&, x = x_, w = w_](std::int64_t, std::int64_t, std::int64_t at_x, std::int64_t at_w) { f(at_x < 0 ? 0 : x(at_x), w(at_w), at_x < 0); });
  }
  /// Whether every product fits 30 bits; then those of an element, in the same order.
  bool terms_fit() const;
  void terms(std::int64_t element, std::vector<std::int32_t>& products) const;
  /// Of the weights that an element is made with.
  std::int64_t zero_point_of(const std::vector<std::int64_t>& of_channels, std::int64_t element) const;

  /// Whether what this element is cannot be known from the dump, and the observed value is one of those it may have.
  bool is_open(std::int64_t element) const;

  /// What was observed, element by element.
  const std::vector<double>& observed_values() const;

  /// The output under a change, at the given elements (all when empty).
  Values changed(const Change&, const std::vector<std::int64_t>& elements) const;
  /// The same part by part: what all elements share is made once. The change outlives it.
  struct Whole {
    const Change& change;
    Finisher finisher;
    std::shared_ptr<const std::vector<std::int64_t>> sums;          // by slot, where they are not accumulators()
  };
  Whole whole(const Change&) const;
  /// Elements from `first` on, as many as there are places for.
  void part(const Whole&, std::int64_t first, std::span<double> values) const;
  /// The steps of that: the accumulators, what requantization knows, its stages, and one value.
  std::vector<std::int64_t> sums_of(const Change&, const std::vector<std::int64_t>& elements) const;
  /// One of them, by these pairs: from the operands themselves.
  std::int64_t sum_at(const Cell&, const OtherOperands&, const std::vector<Segment>&, std::int64_t element) const;
  RequantizeContext context_of(const Change&) const;
  /// That of some channels alone, in this order: of all when none is named.
  RequantizeContext context_of(const Change&, const std::vector<std::int64_t>& channels) const;
  /// Channels that are asked for, each once and sorted (none named: all), and the place of each among them.
  struct Kept {
    std::vector<std::int64_t> channels, places;
  };
  Kept kept_of(const std::vector<std::int64_t>& few) const;
  /// Whether a value depends on its channel's place among all: constants of a few channels would not do.
  static bool has_own_lanes(const Stages&);
  Stages stages_of(const Change&) const;
  Finisher bound(const Stages&, StageBinder&) const;
  /// Whether the constants are others than the layer's own.
  bool changes_constants(const Change&) const;
  /// Its stages bound to the channels in `few` alone, where they are fewer than all: `places` says under which number each then stands.
  Finisher finisher_of(const Change&, const std::vector<std::int64_t>& few, std::vector<std::int64_t>& places) const;
  /// `place`: the channel's number in the finisher.
  double finished(const Finisher&, std::int64_t acc, std::int64_t place, std::int64_t element) const;
  /// Every stage with its value.
  std::vector<TraceStep> trace(std::int64_t acc, std::int64_t element) const;
  /// The output of the operator run again on another layer or cell (memoized by nobody: costs a whole run, except where has_parts()); empty
  /// where the operator does not take them.
  Values rerun(const Layer&, const Cell&, const std::vector<std::int64_t>& elements) const;
  /// The same, asked again and again: a whole run is kept.
  std::function<Values(const std::vector<std::int64_t>&)> runs(std::shared_ptr<const Layer>, Cell) const;
  /// Whether a few elements can be run without the others. They then come in rows of so many, and out of a few rows: verifier/sample.hpp.
  bool has_parts() const { return parts_ != nullptr; }
  std::int64_t together() const;
  /// At most n elements that differ and n that agree, all over the output. Where elements are computed together, of as few rows as may tell:
  /// some of those that hold a difference, and some of the others.
  const Sample& sample(std::size_t n) const;
  /// Real values of the operator (it has some: op.real) on a layer like this one. Its own are computed once.
  struct Sides {                                                    // on which side of the boundary next to it a value lies, as far as asked: -1, 0, 1
    std::vector<std::optional<std::int8_t>> of;                     // by element of the real values
    std::unordered_map<std::int64_t, std::int8_t> alike;            // by Real::alike
  };
  struct RealPart {
    std::shared_ptr<const Real> real;
    std::shared_ptr<Sides> sides;
    std::shared_ptr<const Part> part;                               // null: of all elements, each at its own place
    /// Of the k-th element asked for, or of element k of all; and how many there must be.
    std::size_t place(std::size_t k) const;
    std::size_t size(std::int64_t elements) const;
  };
  RealPart real_values(const Layer&, const std::vector<std::int64_t>& elements) const;
  /// Says that a layer has the real values of another one: outputs and activation alone differ. Both live as long as they are asked for.
  void share_real_values(const Layer& of, const Layer& with) const;
  /// Whether they are fractions: exponentials and roots have no ties that a runtime could see, and their exact values cost most.
  bool has_fractions(const Layer&) const;
  /// Counted so far.
  const Cost& cost() const { return *cost_; }

 private:
  struct Accumulation;
  float summed(bool fused, float convolution, std::int64_t element) const;
  std::vector<std::int64_t> sums_by(const Cell&, const std::vector<std::int64_t>* inside = nullptr) const;
  bool takes(const Layer&, const Cell&) const;
  std::optional<Values> rerun_part(const Layer&, const Cell&, const std::vector<std::int64_t>& elements) const;
  Values rerun_whole(const Layer&, const Cell&) const;
  using Bounds = std::pair<std::int64_t, std::int64_t>;
  Bounds range_by(const Cell&) const;
  Values values_of(const Part&, const Result&, const std::vector<std::int64_t>& elements) const;
  bool has_own_scale(const Change&) const;                          // of x
  AccumulationInput numbers_by(const OtherOperands&) const;
  RequantizeContext constants_of(const Change&, const std::vector<std::int64_t>& channels) const;
  std::string registers_of(const Cell&, bool pairs) const;
  std::shared_ptr<const std::vector<std::int64_t>> whole_sums(const Change&) const;
  void read_terms(const OtherOperands::Readings&, std::int64_t element, std::int32_t outside, SlotTerms&) const;
  std::shared_ptr<Cost> cost_ = std::make_shared<Cost>();
  struct Reals;
  static std::shared_ptr<Reals> new_reals();
  std::shared_ptr<Reals> real_;
  std::shared_ptr<Parts> parts_;
  std::shared_ptr<std::map<std::size_t, Sample>> samples_ = std::make_shared<std::map<std::size_t, Sample>>();
  std::shared_ptr<Accumulation> accumulation_;
  OperandView x_, w_;
  std::shared_ptr<std::vector<double>> observed_ = std::make_shared<std::vector<double>>();
};

/// One rule change, ready to be tried on a case.
struct Suspect {
  std::string name;                                                 // "round:half-away"
  std::string sentence;                                             // plain words
  int rank = 10;                                                    // simple before compound: 10 a rule, 20 a rule solved for a number, 50 a profile
  std::function<Values(const std::vector<std::int64_t>& elements)> values;
  bool costly = false;                                              // a whole run: tried after the others
  std::shared_ptr<const Change> change{};                           // what it is, in a layer that accumulates
  bool run = false;                                                 // another profile's whole operator: tried last of all
  // In a layer that does not accumulate, so that two go together:
  std::shared_ptr<const Layer> layer{};                             // the layer it runs on, by the profile's arithmetic; or
  std::function<Values(const Layer&, const std::vector<std::int64_t>& elements)> arithmetic{};  // how it computes any layer
  std::vector<std::string> alike{};                                 // what stands in every group with it: profiles of the very same rule
  bool few_are_cheap = false;                                       // by that: of a few elements
};

/// One family: what it suspects of a case. Returns nothing where it does not apply.
struct Cause {
  std::string family;                                               // "round"
  std::string about;
  std::vector<std::string> names;                                   // all details, for `lastbit list causes`
  std::vector<Suspect> (*suspects)(const Case&);
};
const std::vector<Cause>& all_causes();

/// Tries every suspect; the smallest set that reproduces the observed values of all differing elements while changing none
/// that agreed. Fills causes, near_misses and unexplained of the report.
void attribute(const Case&, LayerReport&);

/// Whether two changes of an accumulating layer go together: not when both replace the same thing.
bool combine(const Change&, const Change&);
/// Both at once; none when they do not.
std::optional<Change> combined(const Change&, const Change&);

// What several families use.
/// The same stages with the text of every one passed through `edit`; an empty result drops the stage.
std::vector<std::string> edited(const std::vector<std::string>& stages, const std::function<std::string(const std::string&)>& edit);
/// Position of the first stage that begins with `verb`, or -1.
int find_stage(const std::vector<std::string>& stages, const std::string& verb);
/// A suspect that changes an accumulating layer. The case must outlive it.
Suspect suspect(const Case&, std::string name, std::string sentence, Change, int rank = 10);
/// A suspect that reads other numbers: by other operands where the layer accumulates, else by running the operator again on `layer`.
Suspect operands_suspect(const Case&, std::string name, std::string sentence, OtherOperands, const std::function<Layer()>& layer, int rank = 10);
/// The case's layer, which outlives whoever asks for it.
inline std::shared_ptr<const Layer> own_layer(const Case& c) { return {std::shared_ptr<const void>(), &c.layer}; }
/// A suspect that runs the operator again on an altered layer.
Suspect rerun_suspect(const Case&, std::string name, std::string sentence, Layer, int rank = 10);

}  // namespace lastbit
