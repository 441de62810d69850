// scratch.hpp: memory that a thread's kernels use again and again; fresh pages cost more than the arithmetic done in them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace lastbit {

/// Grows, never shrinks; contents are undefined after get(). 64-byte aligned.
class Scratch {
 public:
  template <class T>
  T* get(std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T) + 64;  // vectors may read past the end
    if (bytes > size_) {
      data_.reset();
      data_.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{64})));
      size_ = bytes;
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace lastbit
