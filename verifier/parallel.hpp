// parallel.hpp: the same work on many layers, on several threads.
#pragma once
#include <cstddef>
#include <functional>

namespace lastbit {

/// work(0), ..., work(n - 1), each once, on `jobs` threads (0: all cores). `progress(done, of)` comes from any thread, one at a time. When
/// some throw, the others still run, and the exception of the first in order is thrown again.
void parallel(std::size_t n, unsigned jobs, const std::function<void(std::size_t)>& work, const std::function<void(std::size_t, std::size_t)>& progress = {});

}  // namespace lastbit
