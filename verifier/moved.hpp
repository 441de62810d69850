// moved.hpp: layers that put stored values elsewhere and change none, or keep the largest of a few, judged on the bytes.
//
// Where both sides have 8 bits and one and the same scale and zero point, a value's real number is its own: no form has an error.
#pragma once
#include <optional>

#include "verifier/streamed.hpp"

namespace lastbit {

/// permute, transpose, reshape, flatten. None when it is another operator, types differ, or some element does: then it is computed as a
/// whole, and so it is where the exact form is asked for and has errors. A move reads nothing of a profile: every rival gives the same.
std::optional<Streamed> judge_moved(const StoredLayer&, const Operator&, const StreamOptions&);

/// Max pools of 8-bit values, stored in the operator's order of axes or with the channels last. None as above, or where a tap outside the
/// input counts otherwise than not at all.
std::optional<Streamed> judge_max_pool(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
