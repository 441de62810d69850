// buffers.cpp: see buffers.hpp. One slab, of which the lowest range that is large enough is handed out: little of it is ever touched, and what is
// touched is warm.
#include "lib/dump/buffers.hpp"

#include <iterator>
#include <map>
#include <mutex>

#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::size_t line = 64;

class Slab {
 public:
  /// Null when no range is large enough.
  std::byte* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (!start_) start_ = fresh_memory(size_), free_[0] = size_;
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [at, room] = *it;
      if (room < bytes) continue;
      free_.erase(it);
      if (room > bytes) free_[at + bytes] = room - bytes;
      return start_ + at;
    }
    return nullptr;
  }
  void give_back(const std::byte* p, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto it = free_.emplace(static_cast<std::size_t>(p - start_), bytes).first;
    join(it);
    if (it != free_.begin()) join(std::prev(it));
  }

 private:
  using Ranges = std::map<std::size_t, std::size_t>;  // length by offset
  void join(Ranges::iterator it) {
    const auto next = std::next(it);
    if (next == free_.end() || it->first + it->second != next->first) return;
    it->second += next->second;
    free_.erase(next);
  }
  std::mutex mutex_;
  std::byte* start_ = nullptr;
  std::size_t size_ = std::size_t{1} << 26;  // of addresses; pages come when they are touched
  Ranges free_;
};

/// Never destroyed: a tensor may outlive what is static.
Slab& slab() {
  static auto* one = new Slab;
  return *one;
}

}  // namespace

std::shared_ptr<std::byte> take_buffer(std::size_t bytes) {
  bytes = (bytes + line - 1) / line * line;
  if (std::byte* at = slab().take(bytes)) return {at, [bytes](const std::byte* p) { slab().give_back(p, bytes); }};
  std::byte* own = fresh_memory(bytes);
  return {own, [bytes](std::byte* p) { release_memory(p, bytes); }};
}

}  // namespace lastbit
