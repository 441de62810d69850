// altered.cpp: see altered.hpp.
#include "verifier/altered.hpp"

#include <algorithm>
#include <cstring>

namespace lastbit {

std::vector<std::string> weight_ports(const Case& c) {
  std::vector<std::string> ports;
  if (c.accumulates()) return ports;
  for (const char* port : {"weight", "weight_ih", "weight_hh"})
    if (const Tensor* t = c.layer.find(port); t && !is_float(t->dtype) && t->q.quantized()) ports.push_back(port);
  // What dequantize makes floats of are weights, where they have several scales or few bits; elsewhere its zero point is all there is.
  if (const Tensor* x = c.layer.op == "dequantize" ? c.layer.find("x") : nullptr; x && !is_float(x->dtype) && x->q.quantized()) ports.push_back("x");
  return ports;
}

Tensor gathered(const Tensor& t, const std::function<std::int64_t(std::int64_t)>& place) {
  const auto n = static_cast<std::size_t>(t.size());
  const auto copy_of = [&](const auto& from) {
    auto to = from;
    for (std::size_t i = 0; i < n; ++i) to[i] = from[static_cast<std::size_t>(place(static_cast<std::int64_t>(i)))];
    return to;
  };
  Tensor r = is_float(t.dtype) ? Tensor::of_floats(t.name, t.shape, copy_of(t.f32())) : Tensor::of_integers(t.name, t.dtype, t.shape, t.q, copy_of(t.i32()));
  r.memory_layout = t.memory_layout;
  r.stored_axes = t.stored_axes;
  return r;
}

bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.dtype == b.dtype && a.q.scale == b.q.scale && a.q.zero_point == b.q.zero_point && (a.data == b.data || std::memcmp(a.data, b.data, static_cast<std::size_t>(a.size() * stored_bytes(a.dtype))) == 0);
}

void add_edited(const Case& c, std::vector<Suspect>& all, const std::vector<std::string>& ports, const std::string& name, const std::string& sentence, const TensorEdit& edit, int rank) {
  std::vector<std::pair<std::string, Tensor>> edited_ports;
  for (const auto& port : ports)
    if (Tensor t = edit(c.layer.in(port)); !same_tensor(t, c.layer.in(port))) edited_ports.emplace_back(port, std::move(t));
  if (edited_ports.empty()) return;
  Layer both = c.layer;
  for (const auto& [port, tensor] : edited_ports) both.inputs.at(port) = tensor;
  all.push_back(rerun_suspect(c, name, sentence, std::move(both), rank));
  if (ports.size() < 2) return;
  for (const auto& [port, tensor] : edited_ports) {
    if (edited_ports.size() < 2) break;
    Layer one = c.layer;
    one.inputs.at(port) = tensor;
    all.push_back(rerun_suspect(c, name, sentence + " This holds for \"" + port + "\" alone.", std::move(one), rank + 1));
  }
}

}  // namespace lastbit
