// sample.cpp: see sample.hpp.
#include "verifier/sample.hpp"

#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit {

std::vector<std::int64_t> spread(const std::vector<std::int64_t>& from, std::size_t n) {
  if (from.size() <= n) return from;
  std::vector<std::int64_t> some;
  for (std::size_t i = 0; i < n; ++i) some.push_back(from[n == 1 ? from.size() / 2 : i * (from.size() - 1) / (n - 1)]);
  return some;
}

namespace {

/// The same of those of 0..size-1 that are not in the list, which is sorted.
std::vector<std::int64_t> spread_outside(const std::vector<std::int64_t>& list, std::int64_t size, std::size_t n) {
  const std::size_t count = static_cast<std::size_t>(size) - list.size();
  std::vector<std::int64_t> some;
  for (std::size_t i = 0; i < std::min(n, count); ++i) {
    const auto rank = static_cast<std::int64_t>(count <= n ? i : n == 1 ? count / 2 : i * (count - 1) / (n - 1));
    // The first of the list that has more than `rank` outsiders before it: all before that one lie below the outsider of that rank.
    std::size_t low = 0, high = list.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (list[middle] - static_cast<std::int64_t>(middle) > rank) high = middle;
      else low = middle + 1;
    }
    some.push_back(rank + static_cast<std::int64_t>(low));
  }
  return some;
}

/// What differs, and what is not known: the others agree.
std::vector<std::int64_t> others_than_agreeing(const Case& c) {
  std::vector<std::int64_t> all = c.differing;
  for (const auto& u : c.expected.undefined)
    if (c.is_open(u.index)) all.push_back(u.index);
  std::inplace_merge(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(c.differing.size()), all.end());
  return all;
}

/// Rows that hold an element of the list (sorted).
std::vector<std::int64_t> rows_of(const std::vector<std::int64_t>& elements, std::int64_t length) {
  std::vector<std::int64_t> rows;
  for (auto at = elements.begin(); at != elements.end(); at = std::lower_bound(at, elements.end(), (rows.back() + 1) * length)) rows.push_back(*at / length);
  return rows;
}

/// Elements of the list (sorted) that lie in these rows (sorted).
std::vector<std::int64_t> inside(const std::vector<std::int64_t>& list, const std::vector<std::int64_t>& rows, std::int64_t length) {
  std::vector<std::int64_t> some;
  for (const auto row : rows) {
    const auto first = std::lower_bound(list.begin(), list.end(), row * length), last = std::lower_bound(first, list.end(), (row + 1) * length);
    some.insert(some.end(), first, last);
  }
  return some;
}

Sample sample_of(const Case& c, std::size_t n) {
  const auto unknown = others_than_agreeing(c);
  Sample s;
  std::vector<std::int64_t> agreeing;
  const std::int64_t length = c.together();
  if (length == 1) {
    s.elements = spread(c.differing, n);
    agreeing = spread_outside(unknown, c.size(), n);
  } else {
    constexpr std::size_t many = 512, few_rows = 2, more_rows = 8;
    const std::size_t rows = std::max(n < many ? few_rows : more_rows, n / static_cast<std::size_t>(length));
    const auto with = spread(rows_of(c.differing, length), rows), without = spread_outside(rows_of(unknown, length), c.size() / length, rows / 2);
    s.elements = spread(inside(c.differing, with, length), n);
    const auto known = [&](const std::vector<std::int64_t>& of) {
      std::vector<std::int64_t> some;
      for (const auto row : of)
        for (std::int64_t i = row * length; i < (row + 1) * length; ++i)
          if (!std::binary_search(unknown.begin(), unknown.end(), i)) some.push_back(i);
      return some;
    };
    agreeing = spread(known(with), without.empty() ? n : n / 2 + n % 2);
    const auto more = spread(known(without), n / 2);
    agreeing.insert(agreeing.end(), more.begin(), more.end());
  }
  s.differing = s.elements.size();
  s.elements.insert(s.elements.end(), agreeing.begin(), agreeing.end());
  return s;
}

}  // namespace

const Sample& Case::sample(std::size_t n) const {
  const auto [at, is_new] = samples_->try_emplace(n);
  if (is_new) at->second = sample_of(*this, n);
  return at->second;
}

}  // namespace lastbit
