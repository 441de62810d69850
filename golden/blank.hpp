// blank.hpp: shapes, types and attributes of every operator where a request leaves them open.
#pragma once
#include <string>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// The operator's first input: "x", "a", "x0", ...
std::string first_port(const Operator&);

/// Types in which runtimes run: activations, weights, biases. By the beginning of a profile's name.
struct Habit {
  const char* profiles;
  DType x, weight, bias;
  bool symmetric = false;       // activations have zero point 0
};
const Habit& habit_of(const std::string& profile);

struct BlankPort {
  std::string port;
  enum class Role { activation, weight, bias, value, positive, index, offset } role;
  Shape shape;
};
struct Blank {
  std::vector<BlankPort> ports;
  std::map<std::string, Attribute> attributes;
};
/// Inputs and attributes of an operator for so many samples. `asked`: shapes given by port; others are made to fit them.
/// Throws Error for an operator that it does not know, or a shape that does not fit.
Blank blank_of(const std::string& op, std::int64_t samples, const std::map<std::string, Shape>& asked, const std::map<std::string, Attribute>& attributes);
/// Shape of "y"; the layer has its inputs and attributes.
Shape output_shape(const Layer&);
/// What the output is: like the first input (kept: with its qparams too), a fixed scale, floats, or scaled anew.
enum class OutputKind { scaled, kept, unit, symmetric_unit, floats, chosen, states };
OutputKind output_kind(const std::string& op);

}  // namespace lastbit
