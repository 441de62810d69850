// parallel_test.cpp: the same work on many layers, on several threads.
#include "verifier/parallel.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

using namespace lastbit;

TEST_CASE("every piece of work is done once, on any number of threads, and its end is told", "[parallel]") {
  for (const unsigned jobs : {0u, 1u, 2u, 3u, 16u}) {
    CAPTURE(jobs);
    std::vector<int> done(100);
    std::vector<std::size_t> told;
    parallel(done.size(), jobs, [&](std::size_t i) { ++done[i]; }, [&](std::size_t n, std::size_t of) { told.push_back(n * 1000 + of); });
    CHECK(done == std::vector<int>(100, 1));
    REQUIRE(told.size() == 100);
    for (std::size_t i = 0; i < told.size(); ++i) CHECK(told[i] == (i + 1) * 1000 + 100);
  }
}

TEST_CASE("the first exception in order is thrown again, after all the work", "[parallel]") {
  std::atomic<int> done{0};
  const auto work = [&](std::size_t i) {
    ++done;
    if (i == 7 || i == 30) throw std::runtime_error(std::to_string(i));
  };
  CHECK_THROWS_WITH(parallel(40, 4, work), "7");
  CHECK(done == 40);
}

#ifdef __linux__
TEST_CASE("a thread that was set apart may still run on every core that the process may use", "[parallel]") {
  const auto cores = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
  };
  const int of_process = cores();
  const auto creator = std::this_thread::get_id();
  std::atomic<bool> all_made{false};  // the creator works, too, once it has made and placed the others
  std::vector<int> seen(200);
  parallel(seen.size(), 4, [&](std::size_t i) {
    if (std::this_thread::get_id() == creator) all_made = true;
    while (!all_made) std::this_thread::yield();
    seen[i] = cores();
  });
  CHECK(seen == std::vector<int>(200, of_process));
}
#endif
