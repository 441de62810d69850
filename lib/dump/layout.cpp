// layout.cpp: see layout.hpp.
#include "lib/dump/layout.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {
namespace {

std::string sorted(std::string s) {
  std::sort(s.begin(), s.end());
  return s;
}
std::string spatial(std::size_t rank) { return rank < 3 || rank > 5 ? std::string() : std::string("DHW").substr(5 - rank); }

}  // namespace

bool is_layout(const std::string& layout) {
  const std::string axes = spatial(layout.size());
  return !axes.empty() && (sorted(layout) == sorted("NC" + axes) || sorted(layout) == sorted("OI" + axes));
}

std::string wanted_layout(Role role, const std::string& layout) {
  const std::string wanted = (role == Role::activation ? "NC" : role == Role::weight ? "OI" : "IO") + spatial(layout.size());
  return sorted(wanted) == sorted(layout) ? wanted : std::string();
}

std::vector<int> axis_order(const std::string& stored, const std::string& wanted) {
  std::vector<int> order;
  for (const char c : wanted) {
    const auto at = stored.find(c);
    ensure(at != std::string::npos, "layouts of different letters");
    order.push_back(static_cast<int>(at));
  }
  return order;
}

}  // namespace lastbit
