// tensor.cpp: see tensor.hpp.
#include "lib/tensor/tensor.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/error.hpp"
#include "lib/num/round.hpp"

namespace lastbit {

static_assert(std::endian::native == std::endian::little, "arrays are mapped as they are; a big-endian host would need a swap in Tensor");

std::int64_t count(const Shape& shape) {
  std::int64_t n = 1;
  for (const auto d : shape) ensure(!__builtin_mul_overflow(n, d, &n), "a shape overflows");
  return n;
}

Shape strides_of(const Shape& shape) {
  Shape s(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) s[i - 1] = s[i] * shape[i];
  return s;
}

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

namespace {

template <class T>
T load(const std::byte* p, std::int64_t i) {
  T v;
  std::memcpy(&v, p + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return v;
}

template <class Out, class T>
std::vector<Out> widen(const Tensor& t) {
  std::vector<Out> v(static_cast<std::size_t>(t.size()));
  const std::byte* from = t.data;
  for (Out& to : v) to = static_cast<Out>(load<T>(from, 0)), from += sizeof(T);
  return v;
}

/// Calls f.template operator()<T>() with the type that holds one stored value of d; float16 comes as uint16_t.
template <class F>
auto with_storage(DType d, F f) {
  switch (d) {
    case DType::uint8: case DType::uint4: case DType::uint2: return f.template operator()<std::uint8_t>();
    case DType::int8: case DType::int4: case DType::int2: return f.template operator()<std::int8_t>();
    case DType::uint16: case DType::float16: return f.template operator()<std::uint16_t>();
    case DType::int16: return f.template operator()<std::int16_t>();
    case DType::int32: return f.template operator()<std::int32_t>();
    case DType::int64: return f.template operator()<std::int64_t>();
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
  }
  throw InternalError("unknown dtype");
}

template <class Out>
std::vector<Out> halves(const Tensor& t) {
  std::vector<Out> v(static_cast<std::size_t>(t.size()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = half_to_float(load<std::uint16_t>(t.data, static_cast<std::int64_t>(i)));
  return v;
}

}  // namespace

std::int64_t Tensor::integer(std::int64_t i) const {
  ensure(!is_float(dtype), "integers asked of a float tensor");
  return with_storage(dtype, [&]<class T>() { return static_cast<std::int64_t>(load<T>(data, i)); });
}
double Tensor::value(std::int64_t i) const {
  if (dtype == DType::float16) return half_to_float(load<std::uint16_t>(data, i));
  return with_storage(dtype, [&]<class T>() { return static_cast<double>(load<T>(data, i)); });
}

std::int64_t Tensor::channel_of(std::int64_t i) const {
  if (q.axis < 0 || q.scale.size() <= 1) return 0;
  if (q.group_size > 0) {  // 2-d scales: channel, group; groups run along the last axis
    const std::int64_t last = dim(-1), groups = (last + q.group_size - 1) / q.group_size;
    return i / last * groups + i % last / q.group_size;
  }
  std::int64_t inner = 1;
  for (std::size_t a = static_cast<std::size_t>(q.axis) + 1; a < shape.size(); ++a) inner *= shape[a];
  return i / inner % shape[static_cast<std::size_t>(q.axis)];
}

std::vector<std::int32_t> Tensor::i32() const {
  ensure(!is_float(dtype), "integers asked of a float tensor");
  if (dtype == DType::int64) {
    const auto wide = i64();
    for (const auto v : wide)
      if (v != static_cast<std::int32_t>(v)) throw Error(name, "found the value " + std::to_string(v) + ", expected one that int32 holds");
    return {wide.begin(), wide.end()};
  }
  return with_storage(dtype, [&]<class T>() { return widen<std::int32_t, T>(*this); });
}
std::vector<std::int64_t> Tensor::i64() const {
  ensure(!is_float(dtype), "integers asked of a float tensor");
  return with_storage(dtype, [&]<class T>() { return widen<std::int64_t, T>(*this); });
}
std::vector<float> Tensor::f32() const {
  if (dtype == DType::float16) return halves<float>(*this);
  return with_storage(dtype, [&]<class T>() { return widen<float, T>(*this); });
}
std::vector<double> Tensor::f64() const {
  if (dtype == DType::float16) return halves<double>(*this);
  return with_storage(dtype, [&]<class T>() { return widen<double, T>(*this); });
}

Tensor Tensor::of(std::string name, DType dtype, Shape shape, Quantization q, std::vector<std::byte> bytes) {
  ensure(static_cast<std::int64_t>(bytes.size()) == count(shape) * stored_bytes(dtype), "a tensor's bytes do not fit its shape");
  auto held = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  Tensor t{.name = std::move(name), .dtype = dtype, .shape = std::move(shape), .q = std::move(q), .memory_layout = {}, .stored_axes = {}, .data = held->data(), .owner = held};
  return t;
}

Tensor Tensor::of_integers(std::string name, DType dtype, Shape shape, Quantization q, std::span<const std::int32_t> values) {
  std::vector<std::byte> bytes(values.size() * static_cast<std::size_t>(stored_bytes(dtype)));
  with_storage(dtype, [&]<class T>() {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T v = static_cast<T>(values[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &v, sizeof(T));
    }
  });
  return of(std::move(name), dtype, std::move(shape), std::move(q), std::move(bytes));
}

Tensor Tensor::of_floats(std::string name, Shape shape, std::span<const float> values) {
  std::vector<std::byte> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return of(std::move(name), DType::float32, std::move(shape), {}, std::move(bytes));
}

namespace {

/// A matrix of a few rows transposed: the planes of a picture.
template <class T, std::int64_t rows>
void interleave(const std::byte* from, std::byte* to, std::int64_t columns) {
  constexpr auto width = static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t j = 0; j < columns; ++j)
    for (std::int64_t i = 0; i < rows; ++i) std::memcpy(to + (j * rows + i) * width, from + (i * columns + j) * width, sizeof(T));
}

/// A matrix of items transposed in squares that stay in the first-level cache.
template <class T>
void transpose(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t columns) {
  if (rows == 3) return interleave<T, 3>(from, to, columns);
  if (rows == 4) return interleave<T, 4>(from, to, columns);
  constexpr std::int64_t side = 32;
  for (std::int64_t r = 0; r < rows; r += side)
    for (std::int64_t c = 0; c < columns; c += side)
      for (std::int64_t j = c; j < std::min(columns, c + side); ++j)
        for (std::int64_t i = r; i < std::min(rows, r + side); ++i)
          std::memcpy(to + (j * rows + i) * static_cast<std::int64_t>(sizeof(T)), from + (i * columns + j) * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
}

/// Row-major bytes of the axes `order` of an array of that shape.
void permute(const std::byte* from, std::byte* to, const Shape& shape, const std::vector<int>& order, std::size_t width) {
  const std::size_t rank = shape.size();
  const std::int64_t n = count(shape);
  // One run of axes moved behind another, as between NCHW and NHWC: matrices.
  std::size_t outer = 0;
  while (outer < rank && order[outer] == static_cast<int>(outer)) ++outer;
  if (outer == rank) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * width);
    return;
  }
  const auto split = static_cast<std::size_t>(order[outer]);
  bool rotated = width == 1 || width == 2 || width == 4;
  for (std::size_t i = outer; i < rank; ++i) rotated &= static_cast<std::size_t>(order[i]) == (i - outer < rank - split ? split + i - outer : outer + i - outer - (rank - split));
  if (rotated && n > 0) {
    std::int64_t rows = 1, columns = 1;
    for (std::size_t a = outer; a < split; ++a) rows *= shape[a];
    for (std::size_t a = split; a < rank; ++a) columns *= shape[a];
    const std::int64_t step = rows * columns * static_cast<std::int64_t>(width);
    for (std::int64_t m = 0; m < n / (rows * columns); ++m, from += step, to += step) {
      if (width == 1) transpose<std::uint8_t>(from, to, rows, columns);
      else if (width == 2) transpose<std::uint16_t>(from, to, rows, columns);
      else transpose<std::uint32_t>(from, to, rows, columns);
    }
    return;
  }
  const Shape strides = strides_of(shape);
  Shape at(rank, 0);
  std::int64_t source = 0;
  for (std::int64_t i = 0; i < n; ++i, to += width) {
    std::memcpy(to, from + source * static_cast<std::int64_t>(width), width);
    for (std::size_t a = rank; a-- > 0;) {
      const auto axis = static_cast<std::size_t>(order[a]);
      source += strides[axis];
      if (++at[a] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      at[a] = 0;
    }
  }
}

}  // namespace

Tensor permuted(const Tensor& t, const std::vector<int>& order) {
  const std::size_t rank = t.shape.size(), width = static_cast<std::size_t>(stored_bytes(t.dtype));
  ensure(order.size() == rank, "a permutation of another rank");
  Shape shape(rank);
  std::vector<int> stored(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const auto o = static_cast<std::size_t>(order[i]);
    shape[i] = t.shape[o];
    stored[i] = t.stored_axes.empty() ? order[i] : t.stored_axes[o];
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(t.size()) * width);
  permute(t.data, bytes.data(), t.shape, order, width);
  Quantization q = t.q;
  for (std::size_t i = 0; i < rank; ++i)
    if (t.q.axis >= 0 && order[i] == t.q.axis) q.axis = static_cast<int>(i);
  Tensor r = Tensor::of(t.name, t.dtype, std::move(shape), std::move(q), std::move(bytes));
  r.memory_layout = t.memory_layout;
  r.stored_axes = std::move(stored);
  return r;
}

float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
  const std::uint32_t exponent = (h >> 10) & 0x1F, mantissa = h & 0x3FF;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float tiny = static_cast<float>(mantissa) * 0x1p-24f;  // exact
  return sign ? -tiny : tiny;
}

std::uint16_t float_to_half(float f) {
  const auto bits = std::bit_cast<std::uint32_t>(f);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  if (f != f) return static_cast<std::uint16_t>(sign | 0x7E00);
  const double size = f < 0 ? -static_cast<double>(f) : static_cast<double>(f);
  if (size >= 65520.0) return static_cast<std::uint16_t>(sign | 0x7C00);
  if (size < 0x1p-14) return static_cast<std::uint16_t>(sign | rne(size * 0x1p24));  // 1024 is the smallest normal: right bits
  int e = static_cast<int>((bits >> 23) & 0xFF) - 127;
  std::int64_t m = rne(size * std::bit_cast<double>(static_cast<std::uint64_t>(1023 + 10 - e) << 52));
  if (m == 2048) m = 1024, ++e;
  return static_cast<std::uint16_t>(sign | ((e + 15) << 10) | (m - 1024));
}

}  // namespace lastbit
