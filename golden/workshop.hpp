// workshop.hpp: layers without values, for every operator: the shapes, types and scales that a suite fills.
#pragma once
#include "golden/suite.hpp"

namespace lastbit {

struct Workshop {
  VectorRequest request;
  const Operator* op = nullptr;
  const Profile* profile = nullptr;
  Producer producer;
  std::string isa;                                   // in force; empty: none named
  std::map<std::string, Shape> shapes;               // by port, as asked for
  std::map<std::string, Attribute> attributes;
  std::map<std::string, DType> dtypes;
  std::optional<Layer> like;

  /// Extent of the first axis: --count, else the shape asked for, else `otherwise`.
  std::int64_t samples(std::int64_t otherwise) const;
  Random random(const std::string& label) const { return Random(request.seed, request.op + "/" + request.suite + "/" + label); }
};
/// Reads the request; throws Error on an unknown operator, profile, shape, attribute, or a profile that lacks the operator.
Workshop open_workshop(const VectorRequest&);

/// One way of choosing what a request leaves open.
struct CaseVariant {
  std::string name = {};            // of the case
  bool dyadic = true;               // scales are powers of two, so that exact ties exist; else 24-bit mantissas
  bool odd = true;                  // zero points
  bool per_channel = false;         // several weight scales
  bool bias = true;
  std::string activation = {};      // empty: none
  int narrower = 0;                 // the output's scale, times 2^-narrower: more results clamp
  bool extreme = false;             // weights to the ends of their range, so that pairs of products exceed int16; else within half of it
};
/// The layer with random inputs and an output of the right shape, type and qparams that holds zeros. With --like: that layer
/// with its own weights, scales and attributes, whatever the variant says, and random inputs.
Layer blank_layer(const Workshop&, const CaseVariant&, std::int64_t samples, Random&);
/// Whether samples along the first axis do not see each other.
bool has_samples(const Layer&);
/// The same layer with these samples of each input that has them, in this order.
Layer with_samples(const Layer&, const std::vector<std::int64_t>&);

/// The profile's cell; throws Error when it has none for this layer.
const Cell& cell_of(const Workshop&, const Layer&);
/// Facts anew after a change.
void refresh(const Workshop&, Layer&);

/// Integers of one tensor replaced.
void set_integers(Tensor&, const std::vector<std::int32_t>&);

}  // namespace lastbit
