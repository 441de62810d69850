// oracle.hpp: what every operator means over the real numbers, once more: plain loops over one output element at a time, in
// 110 digits of Boost.Multiprecision. Shares the dump reader with the engine, and nothing that computes.
#pragma once
#include <boost/multiprecision/cpp_bin_float.hpp>
#include <functional>
#include <map>
#include <string>

#include "lib/layer/operator.hpp"

namespace lastbit::oracle {

using Big = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<110>, boost::multiprecision::et_off>;

/// The real value of output element i, before it is rounded to storage and before a clamp to the output's integers.
/// `Result` is only asked for a dynamic layer's quantized input, which is an output as well.
using Definition = std::function<Big(const Layer&, const Result&, std::int64_t i)>;
using Definitions = std::map<std::string, Definition>;

Definitions elementwise();
Definitions windows();
Definitions products();
Definitions rows();     // norms, softmax, reductions, embeddings

/// (q - zero_point) * scale, or the float.
inline Big at(const Tensor& t, std::int64_t i) {
  if (is_float(t.dtype)) return Big(t.value(i));
  if (t.q.scale.empty()) return Big(t.integer(i));
  return (Big(t.integer(i)) - Big(t.zero_point_at(i))) * Big(t.scale_at(i));
}

/// Coordinates of element i of a row-major array, and back.
inline Shape coordinates(const Shape& shape, std::int64_t i) {
  Shape at(shape.size());
  for (std::size_t a = shape.size(); a-- > 0; i /= shape[a]) at[a] = i % shape[a];
  return at;
}
inline std::int64_t position(const Shape& shape, const Shape& at) {
  std::int64_t i = 0;
  for (std::size_t a = 0; a < shape.size(); ++a) i = i * shape[a] + at[a];
  return i;
}

/// Entry a of a list attribute with one entry per axis, or one for all of them.
inline std::int64_t entry(const Layer& l, const char* key, std::size_t a, std::int64_t otherwise) {
  if (!l.attributes.has(key)) return otherwise;
  const auto list = l.attributes.list(key);
  return list.size() == 1 ? list[0] : list.at(a);
}

inline std::string activation(const Layer& l) {
  if (!l.attributes.has("activation")) return "none";
  const auto* word = std::get_if<std::string>(&l.attributes.values.at("activation"));
  return word ? *word : "clamp";
}

}  // namespace lastbit::oracle
