// layers.hpp: the layers that are timed, with operands as a dump stores them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "lib/kernels/stream.hpp"

namespace lastbit::bench {

/// Arrays begin where a .npy has them, at a multiple of 64 bytes.
template <class T>
struct Aligned {
  using value_type = T;
  Aligned() = default;
  template <class U>
  Aligned(const Aligned<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
  bool operator==(const Aligned&) const { return true; }
};
using Bytes = std::vector<std::byte, Aligned<std::byte>>;

struct BenchLayer {
  std::string name;
  Geometry g;
  Bytes x, w;                       // uint8, int8
  std::int64_t x_zero_point = 117;
  std::vector<std::int64_t> w_zero_point{0};

  double operations() const { return 2.0 * static_cast<double>(g.batch * g.groups * g.out_channels * g.positions()) * static_cast<double>(g.terms()); }
  std::int64_t elements() const { return g.batch * g.groups * g.out_channels * g.positions(); }
  StreamRequest request() const {
    StreamRequest r;
    r.geometry = g;
    r.operands = {DType::uint8, DType::int8, x.data(), w.data(), false, false, x_zero_point, w_zero_point};
    return r;
  }
};

inline Geometry conv(std::int64_t channels, std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t groups) {
  Geometry g;
  g.groups = groups;
  g.in_channels = channels / groups;
  g.out_channels = out / groups;
  g.in = g.out = {1, size, size};
  g.kernel = {1, kernel, kernel};
  g.begin = {0, (kernel - 1) / 2, (kernel - 1) / 2};
  return g;
}
inline Geometry matmul(std::int64_t rows, std::int64_t k, std::int64_t columns) {
  Geometry g;
  g.batch = rows;
  g.in_channels = k;
  g.out_channels = columns;
  return g;
}

/// Operands from a generator that bench/compare.py repeats: x in 0..255, w in -128..127, by splitmix64 from the seed.
inline BenchLayer layer(std::string name, const Geometry& g, std::uint64_t seed) {
  BenchLayer l;
  l.name = std::move(name);
  l.g = g;
  std::uint64_t state = seed;
  const auto next = [&] {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return static_cast<std::byte>((z ^ z >> 31) & 0xFF);
  };
  l.x.resize(static_cast<std::size_t>(g.batch * g.groups * g.in_channels * g.in_positions()));
  l.w.resize(static_cast<std::size_t>(g.groups * g.out_channels * g.terms()));
  for (auto& v : l.x) v = next();
  for (auto& v : l.w) v = next();
  return l;
}

/// The shapes of docs: the first five are compute-bound, the last is bound by memory.
inline std::vector<BenchLayer> timed_layers() {
  return {layer("conv 3x3 56x56x64", conv(64, 64, 56, 3, 1), 1),      layer("conv 3x3 14x14x256", conv(256, 256, 14, 3, 1), 2), layer("conv 1x1 7x7 512->2048", conv(512, 2048, 7, 1, 1), 3),
          layer("matmul 1024x1024x1024", matmul(1024, 1024, 1024), 4), layer("depthwise 3x3 112x112x32", conv(32, 32, 112, 3, 32), 5), layer("linear 1x4096x4096", matmul(1, 4096, 4096), 6)};
}

}  // namespace lastbit::bench
