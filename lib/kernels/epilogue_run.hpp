// epilogue_run.hpp: the runs of a block through an epilogue, in vectors.
#pragma once
#include "lib/kernels/epilogue.hpp"

namespace lastbit {

struct EpilogueRuns {
  const Epilogue* e;
  const std::int32_t* acc;
  std::int64_t first, runs, step, length, acc_step;  // SumBlock
  std::int64_t channels, positions;                  // OutputOrder
  bool channels_last;
  const std::byte* observed;                         // EpilogueRequest
  std::byte* stored;
  bool events;
  EpilogueResult* result;
};
void epilogue_runs(const EpilogueRuns&);

}  // namespace lastbit
