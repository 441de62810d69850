// rows.cpp: operators of a whole row, plane or bag: softmax, reductions, norms, embeddings.
#include <algorithm>
#include <vector>

#include "tests/oracle/oracle.hpp"

namespace lastbit::oracle {
namespace {

Big sum_of(const std::vector<Big>& v) {
  Big s = 0;
  for (const Big& x : v) s += x;
  return s;
}
/// Sum of squared deviations from the mean.
Big spread(const std::vector<Big>& v) {
  const Big mean = sum_of(v) / v.size();
  Big s = 0;
  for (const Big& x : v) s += (x - mean) * (x - mean);
  return s;
}

/// All elements of x that share the coordinates of `kept` axes with `place`.
template <class Keeps>
std::vector<Big> members(const Tensor& x, Keeps keeps) {
  std::vector<Big> all;
  for (std::int64_t k = 0; k < x.size(); ++k)
    if (keeps(coordinates(x.shape, k))) all.push_back(at(x, k));
  return all;
}

std::vector<Big> reduced(const Layer& l, std::int64_t i) {
  const Tensor& x = l.in("x");
  std::vector<bool> gone(x.shape.size(), !l.attributes.has("dim") || l.attributes.list("dim").empty());
  if (l.attributes.has("dim"))
    for (const auto d : l.attributes.list("dim")) gone[static_cast<std::size_t>(d < 0 ? d + x.rank() : d)] = true;
  const bool keep = l.attributes.boolean("keepdim", false);
  const Shape place = coordinates(l.out().shape, i);
  return members(x, [&](const Shape& c) {
    std::size_t at = 0;
    for (std::size_t a = 0; a < c.size(); ++a) {
      if (!gone[a] && c[a] != place[at]) return false;
      at += !gone[a] || keep;
    }
    return true;
  });
}

Big affine(const Layer& l, const Big& v, std::int64_t channel) {
  const Tensor *w = l.find("weight"), *b = l.find("bias");
  return Big((w ? v * at(*w, channel) : v) + (b ? at(*b, channel) : Big(0)));
}

Big normalized(const Layer& l, std::int64_t i, const std::vector<Big>& group, std::int64_t channel) {
  const Big mean = sum_of(group) / group.size(), variance = spread(group) / group.size();
  return affine(l, (at(l.in("x"), i) - mean) / sqrt(variance + Big(l.attributes.number("eps", 1e-5))), channel);
}

Big group_norm(const Layer& l, std::int64_t i, std::int64_t groups) {
  const Tensor& x = l.in("x");
  const Shape place = coordinates(x.shape, i);
  const std::int64_t size = x.dim(1) / groups;
  return normalized(l, i, members(x, [&](const Shape& c) { return c[0] == place[0] && c[1] / size == place[1] / size; }), place[1]);
}

Big softmax(const Layer& l, std::int64_t i) {
  const Tensor& x = l.in("x");
  const std::int64_t d = l.attributes.integer("dim", -1);
  const std::size_t dim = static_cast<std::size_t>(d < 0 ? d + x.rank() : d);
  const Big beta = l.attributes.number("beta", 1.0);
  Shape place = coordinates(x.shape, i);
  const Big own = at(x, i);
  Big sum = 0;
  for (place[dim] = 0; place[dim] < x.shape[dim]; ++place[dim]) sum += exp(beta * (at(x, position(x.shape, place)) - own));
  return Big(1 / sum);
}

Big embedded(const Layer& l, std::int64_t row, std::int64_t column) {
  const Tensor& w = l.in("weight");
  const Tensor* offset = l.find("weight_bias");
  return Big(at(w, row * w.dim(1) + column) + (offset ? at(*offset, row) : Big(0)));
}

Big embedding_bag(const Layer& l, std::int64_t i) {
  const Tensor &w = l.in("weight"), &indices = l.in("indices");
  const std::int64_t D = w.dim(1), bag = i / D;
  std::int64_t from = 0, to = indices.size();
  if (const Tensor* offsets = l.find("offsets")) {
    from = offsets->integer(bag);
    if (bag + 1 < offsets->size()) to = offsets->integer(bag + 1);
  } else if (indices.rank() == 2) {
    from = bag * indices.dim(1), to = from + indices.dim(1);
  }
  const Tensor* weights = l.find("per_sample_weights");
  Big sum = 0;
  for (std::int64_t k = from; k < to; ++k) sum += embedded(l, indices.integer(k), i % D) * (weights ? at(*weights, k) : Big(1));
  return sum;  // "mean" too: PyTorch returns the sum
}

}  // namespace

Definitions rows() {
  return {
      {"softmax", [](const Layer& l, const Result&, std::int64_t i) { return softmax(l, i); }},
      {"sum", [](const Layer& l, const Result&, std::int64_t i) { return sum_of(reduced(l, i)); }},
      {"mean", [](const Layer& l, const Result&, std::int64_t i) {
         const auto v = reduced(l, i);
         return Big(sum_of(v) / v.size());
       }},
      {"std", [](const Layer& l, const Result&, std::int64_t i) {
         const auto v = reduced(l, i);
         return Big(sqrt(spread(v) / (Big(v.size()) - Big(l.attributes.number("correction", 1.0)))));
       }},
      {"batch_norm", [](const Layer& l, const Result&, std::int64_t i) {
         const std::int64_t c = coordinates(l.in("x").shape, i)[1];
         const Big v = (at(l.in("x"), i) - at(l.in("running_mean"), c)) / sqrt(at(l.in("running_var"), c) + Big(l.attributes.number("eps", 1e-5)));
         return affine(l, v, c);
       }},
      {"layer_norm", [](const Layer& l, const Result&, std::int64_t i) {
         const Tensor& x = l.in("x");
         std::int64_t n = 1;
         for (const auto e : l.attributes.list("normalized_shape")) n *= e;
         std::vector<Big> group;
         for (std::int64_t k = i / n * n; k < i / n * n + n; ++k) group.push_back(at(x, k));
         return normalized(l, i, group, i % n);
       }},
      {"group_norm", [](const Layer& l, const Result&, std::int64_t i) { return group_norm(l, i, l.attributes.integer("num_groups")); }},
      {"instance_norm", [](const Layer& l, const Result&, std::int64_t i) { return group_norm(l, i, l.in("x").dim(1)); }},
      {"embedding", [](const Layer& l, const Result&, std::int64_t i) {
         const std::int64_t D = l.in("weight").dim(1);
         return embedded(l, l.in("indices").integer(i / D), i % D);
       }},
      {"embedding_bag", [](const Layer& l, const Result&, std::int64_t i) { return embedding_bag(l, i); }},
  };
}

}  // namespace lastbit::oracle
