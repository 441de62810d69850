// altered.hpp: the weights of layers that are not summed in one window (recurrent, weight-only, embeddings, float products): held otherwise,
// the layer run anew by its operator's own rule.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "verifier/cause.hpp"

namespace lastbit {

/// Ports of quantized weights; none where the layer accumulates (verifier/operands.hpp reads those otherwise).
std::vector<std::string> weight_ports(const Case&);

/// Number i is the tensor's own at place(i).
Tensor gathered(const Tensor&, const std::function<std::int64_t(std::int64_t)>& place);

/// An edited tensor; the same one (or an exception) where the edit does not apply.
using TensorEdit = std::function<Tensor(const Tensor&)>;
bool same_tensor(const Tensor&, const Tensor&);
/// The layer with these ports edited: where there are two, both, then each alone. Edits that change nothing are left out.
void add_edited(const Case&, std::vector<Suspect>&, const std::vector<std::string>& ports, const std::string& name, const std::string& sentence, const TensorEdit&, int rank = 10);

}  // namespace lastbit
