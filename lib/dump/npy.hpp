// npy.hpp: NumPy's array file, versions 1.0 to 3.0, read from bytes that may be hostile.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/tensor/tensor.hpp"

namespace lastbit {

/// What a header says. Nothing is allocated from it: `data` points into the bytes given.
struct NpyArray {
  DType dtype = DType::float32;      // of storage: bool is uint8; 4- and 2-bit types are stored as uint8/int8
  bool big_endian = false, fortran = false;
  Shape shape;
  std::span<const std::byte> data;   // exactly shape * itemsize bytes
};
/// Throws Error(place: found, expected) on: bad magic, unknown version, truncated header or data, a header that is not a
/// literal dict with descr, fortran_order, shape, object or structured dtypes, negative or overflowing shapes, trailing bytes.
NpyArray parse_npy(std::span<const std::byte> file, const std::string& place);

/// The header alone, from the first bytes of a file: `data` is empty. `begin` and `bytes` say where the data lie in the file.
struct NpyHeader {
  NpyArray array;
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
};
inline constexpr std::size_t npy_longest_header = 65536;
NpyHeader parse_npy_header(std::span<const std::byte> prefix, const std::string& place);

/// Shapes are safe to multiply once this has passed: at most 64 axes, no negative extent, and the product of all extents
/// but zeros, times the item, fits in 63 bits. Returns shape * itemsize.
std::uint64_t checked_bytes(const Shape&, int itemsize, const std::string& place);

/// The array in row-major little-endian order: a view that keeps `owner` alive when the bytes already are, else a copy.
Tensor to_tensor(const NpyArray&, std::shared_ptr<const void> owner, const std::string& name);

/// A file mapped read-only, or, when it has at most 4 MiB, read. Throws Error when it cannot be.
struct Mapping {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};
Mapping map_file(const std::filesystem::path&, const std::string& place);
/// A folder, held open where it can be: its files are then found by their names alone.
class Folder {
 public:
  /// `path`: absolute, without symbolic links. `hold`: false where too many are held already.
  Folder(std::string path, bool hold);
  Folder(Folder&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  Folder& operator=(Folder&&) = delete;
  ~Folder();
  /// As map_file(), of a file in it that is no symbolic link; none when it is one, or cannot be opened. `name`: without '/'.
  std::optional<Mapping> map(const std::string& name, const std::string& place) const;

 private:
  std::string path_;
  int fd_ = -1;
};

/// Bytes of a .npy v1.0 file holding the tensor (row-major, little-endian), as numpy.save writes it.
std::vector<std::byte> npy_bytes(const Tensor&);

}  // namespace lastbit
