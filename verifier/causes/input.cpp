// input: the layer read another tensor of the dump, one off in the graph.
#include "lib/error.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t most = 12;  // tensors tried for a port

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  for (const auto& [port, name] : c.entry.inputs) {
    if (port != "x" && port != "a" && port != "b") continue;
    const Tensor& own = c.layer.in(port);
    std::size_t tried = 0;
    for (const auto& other : c.dump.layers()) {
      for (const auto* ports : {&other.inputs, &other.outputs})
        for (const auto& [p, tensor] : *ports) {
          const auto& entry = c.dump.tensors().at(tensor);
          if (tensor == name || tensor == c.entry.outputs.at(c.port) || entry.dtype != own.dtype || tried >= most) continue;
          Tensor t;
          try {
            LayerEntry as = c.entry;
            as.inputs[port] = tensor;
            t = c.dump.bind(as).in(port);
          } catch (const Error&) {
            continue;
          }
          if (t.shape != own.shape) continue;
          ++tried;
          Layer with_own_qparams = c.layer;
          with_own_qparams.inputs.at(port) = t;
          Layer with_declared = with_own_qparams;
          with_declared.inputs.at(port).q = own.q;
          const std::string sentence = "The layer read tensor \"" + tensor + "\" instead of \"" + name + "\" as " + port;
          all.push_back(rerun_suspect(c, "input:" + tensor, sentence + ", with the qparams of \"" + name + "\".", with_declared, 20));
          all.push_back(rerun_suspect(c, "input:" + tensor, sentence + ", with its own qparams.", with_own_qparams, 20));
        }
    }
  }
  return all;
}

}  // namespace

Cause input() { return {"input", "another tensor of the dump was read", {"input:<tensor>"}, suspects}; }

}  // namespace lastbit::causes
