// target.cpp: see target.hpp.
#include "lib/kernels/target.hpp"

#include <algorithm>
#include <cctype>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/target.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

void describe(std::int64_t* target, std::int64_t* width, bool* bytes) {
  *target = HWY_TARGET;
  *width = static_cast<std::int64_t>(lanes);
  *bytes = LASTBIT_BYTES != 0;
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(describe);

namespace {

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

}  // namespace

KernelTarget kernel_target() {
  std::int64_t target = 0;
  KernelTarget t;
  HWY_DYNAMIC_DISPATCH(describe)(&target, &t.lanes, &t.bytes);
  t.name = lower(hwy::TargetName(target));
  return t;
}

namespace {

/// Compiled in and runnable, best first. The fallback always runs, whatever the library was built with.
std::vector<std::int64_t> runnable() {
  hwy::SetSupportedTargetsForTest(0);
  std::vector<std::int64_t> targets;
  for (const std::int64_t t : hwy::SupportedAndGeneratedTargets()) targets.push_back(t);
  if (std::find(targets.begin(), targets.end(), HWY_STATIC_TARGET) == targets.end()) targets.push_back(HWY_STATIC_TARGET);
  std::sort(targets.begin(), targets.end());  // lower bits are better sets
  return targets;
}

}  // namespace

std::vector<std::string> supported_targets() {
  std::vector<std::string> names;
  for (const std::int64_t t : runnable()) names.push_back(lower(hwy::TargetName(t)));
  return names;
}

bool limit_target(std::string_view name) {
  const auto targets = runnable();
  std::int64_t allowed = 0;
  for (auto t = targets.rbegin(); t != targets.rend() && (name.empty() || lower(hwy::TargetName(*t)) != name); ++t) allowed |= *t;
  if (!name.empty()) {
    const auto at = std::find_if(targets.begin(), targets.end(), [&](std::int64_t t) { return lower(hwy::TargetName(t)) == name; });
    if (at == targets.end()) return hwy::GetChosenTarget().Update(hwy::SupportedTargets()), false;
    allowed |= *at;
  }
  hwy::GetChosenTarget().Update(allowed);
  return name.empty() || kernel_target().name == name;
}

}  // namespace lastbit
#endif
