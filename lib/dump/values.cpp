// values.cpp: see values.hpp.
#include "lib/dump/values.hpp"

#include <cstring>

#include "lib/dump/words.hpp"

namespace lastbit {

DType storage_of(DType d) {
  if (info(d).bits >= 8) return d;
  return info(d).min < 0 ? DType::int8 : DType::uint8;
}

Tensor unpacked(const Tensor& t, const TensorEntry& e, const std::string& place) {
  const int bits = info(e.dtype).bits, per_byte = 8 / bits;
  const unsigned mask = (1u << bits) - 1;
  Shape stored = *e.shape;
  stored.back() = stored.back() / per_byte + (stored.back() % per_byte != 0);
  if (t.shape != stored) refuse(place, "the stored shape " + to_string(t.shape), to_string(stored) + " for " + to_string(*e.shape) + ", " + std::to_string(per_byte) + " values a byte");
  const std::int64_t last = e.shape->back(), rows = last == 0 ? 0 : count(*e.shape) / last;
  const bool low_first = e.packed == "low_first", is_signed = info(e.dtype).min < 0;
  std::vector<std::byte> bytes(static_cast<std::size_t>(count(*e.shape)));
  std::size_t to = 0;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < last; ++i) {
      const auto byte = std::to_integer<unsigned>(t.data[row * stored.back() + i / per_byte]);
      const int place_in_byte = static_cast<int>(i % per_byte);
      unsigned v = byte >> bits * (low_first ? place_in_byte : per_byte - 1 - place_in_byte) & mask;
      if (is_signed && v >> (bits - 1)) v |= ~mask;
      bytes[to++] = static_cast<std::byte>(v & 0xFF);
    }
  return Tensor::of(t.name, storage_of(e.dtype), *e.shape, {}, std::move(bytes));
}

namespace {

template <class T>
std::int64_t first_outside(const Tensor& t, std::int64_t lo, std::int64_t hi) {
  const std::int64_t n = t.size();
  for (std::int64_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, t.data + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    if (static_cast<std::int64_t>(v) < lo || static_cast<std::int64_t>(v) > hi) return i;
  }
  return -1;
}

}  // namespace

void check_range(const Tensor& t, const std::string& place) {
  const auto& stored = info(storage_of(t.dtype));
  if (stored.is_float || (t.q.qmin <= stored.min && t.q.qmax >= stored.max)) return;
  std::int64_t at = -1;
  switch (stored.dtype) {
    case DType::uint8: at = first_outside<std::uint8_t>(t, t.q.qmin, t.q.qmax); break;
    case DType::int8: at = first_outside<std::int8_t>(t, t.q.qmin, t.q.qmax); break;
    case DType::uint16: at = first_outside<std::uint16_t>(t, t.q.qmin, t.q.qmax); break;
    case DType::int16: at = first_outside<std::int16_t>(t, t.q.qmin, t.q.qmax); break;
    case DType::int32: at = first_outside<std::int32_t>(t, t.q.qmin, t.q.qmax); break;
    case DType::int64: at = first_outside<std::int64_t>(t, t.q.qmin, t.q.qmax); break;
    default: break;
  }
  if (at < 0) return;
  Shape index(t.shape.size());
  std::int64_t rest = at;
  for (std::size_t a = index.size(); a-- > 0; rest /= t.shape[a]) index[a] = rest % t.shape[a];
  refuse(place, "the value " + std::to_string(t.integer(at)) + " at " + to_string(index), std::to_string(t.q.qmin) + " to " + std::to_string(t.q.qmax));
}

}  // namespace lastbit
