// declared.hpp: an operator's list of attributes is also what their values are checked against.
//
// AttributeSpec::what begins with the type, in these words; what follows is for people:
//   true or false ...             "true", "false"
//   integer, number               one; a number must be one that float32 can hold
//   integers, numbers             a list; one value stands for a list of one
//   ... >= 0, > 0, != 0, 0 to 4   right after the type: holds for every entry
//   integer, one of 8, 4, 2       no other
//   none, relu or {min, max}      words, up to " (", ":" or " in "; {min, max} is a clamp to the output's integers
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// Throws Error naming the attribute unless its value is of the declared type, range or words. Absent values pass.
void check_attribute(const Layer&, const AttributeSpec&);

/// Throws Error where integers that are computed with have no scale. Integers that are only moved need none.
void check_scales(const Layer&, const Operator&);

/// Attributes of a layer that its operator does not have: they change nothing. "not_judged" is everybody's.
std::vector<std::string> undeclared_attributes(const Attributes&, const Operator&);

}  // namespace lastbit
