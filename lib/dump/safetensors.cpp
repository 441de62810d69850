// safetensors.cpp: see safetensors.hpp. Eight bytes of length (little-endian), the header, the data; offsets count from the data.
#include "lib/dump/safetensors.hpp"

#include "lib/dump/json.hpp"
#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

struct Named {
  std::string_view name;
  DType dtype;
};
constexpr Named types[] = {{"BOOL", DType::uint8}, {"U8", DType::uint8},    {"I8", DType::int8},     {"U16", DType::uint16}, {"I16", DType::int16},
                           {"I32", DType::int32},  {"I64", DType::int64},   {"F16", DType::float16}, {"F32", DType::float32}, {"F64", DType::float64}};

constexpr std::uint64_t longest_header = 100'000'000;  // the format's own limit

std::uint64_t natural(const Json& j, const std::string& place) {
  if (!j.is_number_unsigned() || j.get<std::uint64_t>() > INT64_MAX) refuse(place, described(j), "an integer of 0 or more");
  return j.get<std::uint64_t>();
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& path, const std::string& place) : file_(map_file(path, place)) {
  const auto& bytes = file_.bytes;
  if (bytes.size() < 8) refuse(place, std::to_string(bytes.size()) + " bytes", "a .safetensors file (truncated?)");
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (length > longest_header || length > bytes.size() - 8) refuse(place, "a header of " + std::to_string(length) + " bytes", "at most 100 MB, inside the file (truncated?)");
  data_ = 8 + static_cast<std::size_t>(length);
  const Json header = parse_json({reinterpret_cast<const char*>(bytes.data()) + 8, static_cast<std::size_t>(length)}, place);
  if (!header.is_object()) refuse(place, described(header), "an object as the header");
  for (const auto& [key, value] : header.items()) {
    if (key == "__metadata__") continue;
    const std::string at = place + ": " + in_quotes(key);
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets")) refuse(at, described(value), "dtype, shape and data_offsets");
    const auto &dtype = value.at("dtype"), &shape = value.at("shape"), &offsets = value.at("data_offsets");
    if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2) refuse(at, "fields of other types", "a string, a list and two offsets");
    Entry e{dtype.get<std::string>(), {}, natural(offsets[0], at), natural(offsets[1], at)};
    if (e.begin > e.end || e.end > bytes.size() - data_) refuse(at, "the offsets " + offsets.dump(), "a range inside the file's " + std::to_string(bytes.size() - data_) + " bytes of data (truncated?)");
    for (const auto& d : shape) e.shape.push_back(static_cast<std::int64_t>(natural(d, at)));
    entries_.emplace(key, std::move(e));
  }
}

Tensor Safetensors::read(const std::string& name, const std::string& place, const std::function<void(const NpyArray&)>& accept) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) refuse(place, "no such array in the file", "one of that name");
  const Entry& e = it->second;
  NpyArray a;
  bool known = false;
  for (const auto& t : types)
    if (t.name == e.dtype) a.dtype = t.dtype, known = true;
  if (!known) refuse(place, "the dtype " + in_quotes(e.dtype), "BOOL, I8 to I64, U8, U16, F16, F32 or F64");
  a.shape = e.shape;
  const std::uint64_t bytes = checked_bytes(a.shape, stored_bytes(a.dtype), place);
  if (bytes != e.end - e.begin) refuse(place, std::to_string(e.end - e.begin) + " bytes of data", std::to_string(bytes) + " for the shape " + to_string(a.shape) + " of " + e.dtype);
  a.data = file_.bytes.subspan(data_ + static_cast<std::size_t>(e.begin), static_cast<std::size_t>(bytes));
  accept(a);
  return to_tensor(a, file_.owner, name);
}

}  // namespace lastbit
