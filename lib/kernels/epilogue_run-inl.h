// epilogue_run-inl.h: included once per instruction set (Highway's foreach_target): how a block's runs follow each other, for the two files that go
// through them. Comparing the commonest epilogue is a file of its own, since a compiler takes minutes for it.
#if defined(LASTBIT_KERNELS_EPILOGUE_RUN_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_EPILOGUE_RUN_INL
#undef LASTBIT_KERNELS_EPILOGUE_RUN_INL
#else
#define LASTBIT_KERNELS_EPILOGUE_RUN_INL
#endif

#include <hwy/cache_control.h>

#include "lib/kernels/epilogue-inl.h"
#include "lib/kernels/epilogue_run.hpp"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

constexpr std::int64_t ahead = 8;  // runs lie far apart: the next ones are asked for early

HWY_INLINE void ask_for(const EpilogueRuns& q, std::int64_t run) {
  if (!q.observed || run >= q.runs) return;
  const std::byte* at = q.observed + q.first + run * q.step;
  for (std::int64_t i = 0; i < q.length; i += 64) hwy::Prefetch(at + i);
}

/// Channel of a run's first sum.
struct RunChannel {
  std::int64_t first;
  bool still, ascending;  // the same for every run; one more each
  template <bool Across>
  static RunChannel of(const EpilogueRuns& q) {
    const std::int64_t first = Across ? q.first % q.channels : q.first / q.positions % q.channels;
    const bool inside = !Across && q.first % q.positions + (q.runs - 1) * q.step + q.length <= q.positions;
    return {first, Across ? q.step % q.channels == 0 : inside, !Across && q.step == q.positions && first + q.runs <= q.channels};
  }
  template <bool Across>
  HWY_INLINE std::int64_t at(const EpilogueRuns& q, std::int64_t run) const {
    if (still) return first;
    if (ascending) return first + run;
    const std::int64_t element = q.first + run * q.step;
    return Across ? element % q.channels : element / q.positions % q.channels;
  }
};

/// Runs of at least a vector of sums by float32 against what was observed, nothing to be stored (epilogue_compare.cpp). With events ties and clamps are
/// counted; of a calm epilogue there are no others.
void compare_runs(const EpilogueRuns&, const Sources&, RunChannel, Running&);

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
