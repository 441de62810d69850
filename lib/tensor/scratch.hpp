// scratch.hpp: memory that is used again and again; the first touch of a page costs more than the arithmetic done in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lastbit {

/// 64-byte aligned memory of at least that size, which is set to what it came to; out of one slab of large pages, the lowest range that is large
/// enough, so that little is ever touched and what was is warm. What the slab has no room for is the allocator's. Given back by
/// release_memory(). Safe for many threads.
std::byte* fresh_memory(std::size_t& bytes);
void release_memory(std::byte*, std::size_t bytes);

/// The same with an owner, for what is read from files.
std::shared_ptr<std::byte> shared_memory(std::size_t bytes);

/// Grows, never shrinks; contents are undefined after get(). 64-byte aligned.
class Scratch {
 public:
  template <class T>
  T* get(std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T) + 64;  // vectors may read past the end
    if (bytes > size_) {
      data_.reset();
      size_ = bytes;
      std::byte* at = fresh_memory(size_);
      data_ = {at, Release{size_}};
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Release {
    std::size_t bytes;
    void operator()(std::byte* p) const { release_memory(p, bytes); }
  };
  std::unique_ptr<std::byte, Release> data_{nullptr, Release{0}};
  std::size_t size_ = 0;
};

}  // namespace lastbit
