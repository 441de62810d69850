// scratch.cpp: see scratch.hpp.
#include "lib/tensor/scratch.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lastbit {
namespace {

constexpr std::size_t line = 64;

/// Addresses whose pages come when they are touched. Of no size where they cannot be had, and under AddressSanitizer, which has to see every
/// range by itself.
class Slab {
 public:
  Slab() {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
    constexpr std::size_t size = std::size_t{1} << 26, large_page = std::size_t{1} << 21;
    void* at = ::mmap(nullptr, size + large_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return;
    std::size_t room = size + large_page;
    start_ = static_cast<std::byte*>(std::align(large_page, size, at, room));
    end_ = start_ + size;
    free_[0] = size;
    ::madvise(start_, size, MADV_HUGEPAGE);  // a wish: what it returns does not matter
#endif
  }

  /// Null when no range is large enough.
  std::byte* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [at, room] = *it;
      if (room < bytes) continue;
      free_.erase(it);
      if (room > bytes) free_[at + bytes] = room - bytes;
      return start_ + at;
    }
    return nullptr;
  }
  /// False when it is none of the slab's.
  bool give_back(const std::byte* p, std::size_t bytes) {
    if (p < start_ || p >= end_) return false;
    const std::lock_guard lock(mutex_);
    const auto it = free_.emplace(static_cast<std::size_t>(p - start_), bytes).first;
    join(it);
    if (it != free_.begin()) join(std::prev(it));
    return true;
  }

 private:
  using Ranges = std::map<std::size_t, std::size_t>;  // length by offset
  void join(Ranges::iterator it) {
    const auto next = std::next(it);
    if (next == free_.end() || it->first + it->second != next->first) return;
    it->second += next->second;
    free_.erase(next);
  }
  std::byte *start_ = nullptr, *end_ = nullptr;
  std::mutex mutex_;
  Ranges free_;
};

/// Never destroyed: a tensor, or a thread, may outlive what is static.
Slab& slab() {
  static auto* one = new Slab;
  return *one;
}

}  // namespace

std::byte* fresh_memory(std::size_t& bytes) {
  bytes = (std::max<std::size_t>(bytes, 1) + line - 1) / line * line;
  if (std::byte* at = slab().take(bytes)) return at;
  return static_cast<std::byte*>(::operator new(bytes, std::align_val_t{line}));
}

void release_memory(std::byte* at, std::size_t bytes) {
  if (at && !slab().give_back(at, bytes)) ::operator delete(at, std::align_val_t{line});
}

std::shared_ptr<std::byte> shared_memory(std::size_t bytes) {
  std::byte* at = fresh_memory(bytes);
  return {at, [bytes](std::byte* p) { release_memory(p, bytes); }};
}

}  // namespace lastbit
