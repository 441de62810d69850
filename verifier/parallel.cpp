// parallel.cpp: see parallel.hpp.
#include "verifier/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lastbit {

void parallel(std::size_t n, unsigned jobs, const std::function<void(std::size_t)>& work, const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<std::exception_ptr> failed(n);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::size_t done = 0;
  const auto run = [&] {
    for (std::size_t i = next++; i < n; i = next++) {
      try {
        work(i);
      } catch (...) {
        failed[i] = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      ++done;
      if (progress) progress(done, n);
    }
  };
  const std::size_t threads = std::min<std::size_t>(jobs ? jobs : std::max(1u, std::thread::hardware_concurrency()), n);
  {
    std::vector<std::jthread> pool;
    for (std::size_t t = 1; t < threads; ++t) pool.emplace_back(run);
    run();
  }
  for (const auto& f : failed)
    if (f) std::rethrow_exception(f);
}

}  // namespace lastbit
