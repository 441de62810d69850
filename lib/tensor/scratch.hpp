// scratch.hpp: memory that a thread's kernels use again and again; fresh pages cost more than the arithmetic done in them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lastbit {

/// 64-byte aligned memory of at least that size, which is set to what it came to. Where much is wanted, of large pages if the system has them:
/// the first touch of each small page costs as much as the arithmetic done in it. Given back by release_memory().
std::byte* fresh_memory(std::size_t& bytes);
void release_memory(std::byte*, std::size_t bytes);

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
