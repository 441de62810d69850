// dtype.hpp: what the numbers of an array mean.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lastbit {

enum class DType { uint8, int8, uint16, int16, int32, int64, uint4, int4, uint2, int2, float16, float32, float64 };

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bits;
  bool is_float;
  std::int64_t min, max;  // of integers; 0 for floats
};

inline constexpr std::array<DTypeInfo, 13> dtypes{{
    {DType::uint8, "uint8", 8, false, 0, 255},
    {DType::int8, "int8", 8, false, -128, 127},
    {DType::uint16, "uint16", 16, false, 0, 65535},
    {DType::int16, "int16", 16, false, -32768, 32767},
    {DType::int32, "int32", 32, false, INT32_MIN, INT32_MAX},
    {DType::int64, "int64", 64, false, INT64_MIN, INT64_MAX},
    {DType::uint4, "uint4", 4, false, 0, 15},
    {DType::int4, "int4", 4, false, -8, 7},
    {DType::uint2, "uint2", 2, false, 0, 3},
    {DType::int2, "int2", 2, false, -2, 1},
    {DType::float16, "float16", 16, true, 0, 0},
    {DType::float32, "float32", 32, true, 0, 0},
    {DType::float64, "float64", 64, true, 0, 0},
}};

constexpr const DTypeInfo& info(DType d) { return dtypes[static_cast<std::size_t>(d)]; }
constexpr std::string_view name(DType d) { return info(d).name; }
constexpr bool is_float(DType d) { return info(d).is_float; }
/// Bytes one value takes in a file: 4- and 2-bit values are stored one a byte.
constexpr int stored_bytes(DType d) { return info(d).bits < 8 ? 1 : info(d).bits / 8; }
constexpr std::optional<DType> dtype_named(std::string_view n) {
  for (const auto& d : dtypes)
    if (d.name == n) return d.dtype;
  return std::nullopt;
}

}  // namespace lastbit
