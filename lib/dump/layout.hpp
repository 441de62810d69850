// layout.hpp: the order in which a file holds the axes, and the order in which operators read them.
#pragma once
#include <string>
#include <vector>

namespace lastbit {

enum class Role { activation, weight, transposed_weight };

/// Whether a manifest may say it: a permutation of NC or OI and W, HW or DHW.
bool is_layout(const std::string& layout);

/// What operators want for a role: "NCHW", "OIHW" or "IOHW", with the letters of `layout`'s rank. Empty when the letters are
/// of another role (N and C on a weight).
std::string wanted_layout(Role, const std::string& layout);

/// The permutation for permuted(): result axis i is stored axis order[i].
std::vector<int> axis_order(const std::string& stored, const std::string& wanted);

}  // namespace lastbit
