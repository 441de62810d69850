// layers.hpp: layers for tests of operators, built in memory.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lib/error.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit::test {

inline Tensor quantized(DType type, Shape shape, std::vector<std::int32_t> values, double scale, double zero_point, std::string memory = "") {
  Quantization q{.scale = {scale}, .zero_point = {zero_point}};
  q.qmin = info(type).min, q.qmax = info(type).max;
  Tensor t = Tensor::of_integers("t", type, std::move(shape), q, values);
  t.memory_layout = std::move(memory);
  return t;
}
inline Tensor floats(Shape shape, const std::vector<float>& values) { return Tensor::of_floats("t", std::move(shape), values); }

/// With the facts that its operator adds.
inline Layer layer_of(const std::string& op, std::map<std::string, Tensor> inputs, Tensor y, std::map<std::string, Attribute> attributes,
                      std::map<std::string, std::string> producer = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"isa", "avx512_vnni"}}) {
  Layer l;
  l.name = op;
  l.place = l.attributes.place = "layer " + op;
  l.op = op;
  l.attributes.values = std::move(attributes);
  l.inputs = std::move(inputs);
  l.outputs = {{"y", std::move(y)}};
  l.producer.fields = std::move(producer);
  l.facts = common_facts(l);
  if (const auto facts = find_operator(op)->facts) facts(l, l.facts);
  return l;
}

/// The integers a profile gives.
inline Computed computed(const Layer& l, const std::string& profile) {
  const Operator& op = *find_operator(l.op);
  op.check(l);
  const Cell* cell = cell_for(find_profile(profile), op, l);
  ensure(cell, "the profile does not hold the operator");
  return op.run(l, *cell).outputs.at("y");
}

}  // namespace lastbit::test
