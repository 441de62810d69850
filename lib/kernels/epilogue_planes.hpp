// epilogue_planes.hpp: a block whose sums lie position by position, compared with an output in planes.
#pragma once
#include "lib/kernels/epilogue_run.hpp"

namespace lastbit {

/// Of q, acc is SumBlock::by_position and acc_step its step. Bytes are turned instead of sums. False where that is not done here, or a calm epilogue's
/// sum was not small after all: then nothing was done.
bool epilogue_planes(const EpilogueRuns& q);

}  // namespace lastbit
