// scratch.cpp: see scratch.hpp.
#include "lib/tensor/scratch.hpp"

#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lastbit {
namespace {

constexpr std::size_t large_page = std::size_t{1} << 21;

/// Memory of which half a large page would be left over is better in small ones.
std::align_val_t alignment_of(std::size_t bytes) { return std::align_val_t{bytes >= large_page / 2 ? large_page : 64}; }

}  // namespace

std::byte* fresh_memory(std::size_t& bytes) {
  const auto alignment = alignment_of(bytes);
  if (alignment == std::align_val_t{large_page}) bytes = (bytes + large_page - 1) / large_page * large_page;
  auto* at = static_cast<std::byte*>(::operator new(bytes, alignment));
#ifdef MADV_HUGEPAGE
  if (alignment == std::align_val_t{large_page}) ::madvise(at, bytes, MADV_HUGEPAGE);  // a wish: what it returns does not matter
#endif
  return at;
}

void release_memory(std::byte* at, std::size_t bytes) { ::operator delete(at, alignment_of(bytes)); }

}  // namespace lastbit
