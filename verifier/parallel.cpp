// parallel.cpp: see parallel.hpp.
#include "verifier/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace lastbit {
namespace {

/// A thread begins on its creator's core, and Linux may leave it there for twenty milliseconds while the next core idles: longer than many a
/// dump takes. The n-th thread (from 1) goes to the n-th core after its creator's, of those that the process may use, and is bound to none.
class Apart {
 public:
#ifdef __linux__
  Apart() : here_(::sched_getcpu()) {
    CPU_ZERO(&allowed_);
    if (::sched_getaffinity(0, sizeof allowed_, &allowed_) != 0) CPU_ZERO(&allowed_);
  }
  /// Called from both sides: either may be the one that runs first.
  void set(pthread_t thread, std::size_t n) const {
    if (here_ < 0 || n >= static_cast<std::size_t>(CPU_COUNT(&allowed_))) return;
    int core = here_;
    for (std::size_t passed = 0; passed < n; passed += CPU_ISSET(core, &allowed_) ? 1 : 0) core = (core + 1) % CPU_SETSIZE;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (::pthread_setaffinity_np(thread, sizeof one, &one) == 0) ::pthread_setaffinity_np(thread, sizeof allowed_, &allowed_);
  }
  void set_this(std::size_t n) const { set(::pthread_self(), n); }

 private:
  int here_;
  cpu_set_t allowed_;
#else
  void set(std::thread::native_handle_type, std::size_t) const {}
  void set_this(std::size_t) const {}
#endif
};

}  // namespace

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
    const Apart apart;
    std::vector<std::jthread> pool;
    for (std::size_t t = 1; t < threads; ++t) {
      pool.emplace_back([&, t] {
        apart.set_this(t);
        run();
      });
      apart.set(pool.back().native_handle(), t);
    }
    run();
  }
  for (const auto& f : failed)
    if (f) std::rethrow_exception(f);
}

}  // namespace lastbit
