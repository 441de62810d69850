// npy.cpp: see npy.hpp. The header is a Python literal, read here character by character; nothing else of Python is.
#include "lib/dump/npy.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>
#include <system_error>

#include "lib/dump/words.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};
constexpr std::size_t most_axes = 64;
constexpr std::size_t small_file = std::size_t{1} << 22;

/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class Literal {
 public:
  Literal(std::string_view text, const std::string& place) : text_(text), place_(place) {}

  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* expected) {
    if (!take(c)) fail(expected);
  }
  bool done() {
    skip();
    return at_ == text_.size();
  }
  std::string_view string(const char* expected) {
    skip();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail(expected);
    const auto end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail(expected);
    const auto s = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return s;
  }
  bool boolean() {
    skip();
    for (const bool b : {true, false}) {
      const std::string_view word = b ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return b;
      }
    }
    fail("True or False as fortran_order");
  }
  Shape shape() {
    Shape shape;
    expect('(', "a tuple as shape");
    while (!take(')')) {
      if (shape.size() == most_axes) refuse(place_, "more than 64 axes", "at most 64");
      shape.push_back(extent());
      if (!take(',') && (shape.size() == 1 || !peek(')'))) fail("a tuple as shape");  // (3) is a number, (3,) a tuple
    }
    return shape;
  }
  [[noreturn]] void fail(const char* expected) {
    skip();
    refuse(place_, at_ < text_.size() ? "the header " + in_quotes(text_.substr(at_, 40)) : "the end of the header", expected);
  }

 private:
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  bool peek(char c) {
    skip();
    return at_ < text_.size() && text_[at_] == c;
  }
  std::int64_t extent() {
    if (peek('-')) refuse(place_, "a negative extent in the shape", "0 or more");
    std::int64_t n = 0;
    std::size_t digits = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits)
      if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text_[at_] - '0', &n)) refuse(place_, "an extent beyond 63 bits", "a shape that fits the file");
    if (digits == 0) fail("an integer in the shape");
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote longs
    return n;
  }

  std::string_view text_;
  const std::string& place_;
  std::size_t at_ = 0;
};

struct Stored {
  std::string_view code;
  DType dtype;
};
constexpr Stored stored_types[] = {{"b1", DType::uint8}, {"u1", DType::uint8}, {"i1", DType::int8}, {"u2", DType::uint16}, {"i2", DType::int16},
                                   {"i4", DType::int32}, {"i8", DType::int64}, {"f2", DType::float16}, {"f4", DType::float32}, {"f8", DType::float64}};

void read_descr(std::string_view descr, NpyArray& a, const std::string& place) {
  const char order = descr.empty() ? '\0' : descr[0];
  const auto code = descr.substr(std::min<std::size_t>(descr.size(), 1));
  if (descr == "|O" || (!code.empty() && code[0] == 'O')) refuse(place, "an object array (pickled)", "numbers");
  for (const auto& s : stored_types)
    if (s.code == code && (order == '<' || order == '>' || order == '=' || (order == '|' && code[1] == '1'))) {
      a.dtype = s.dtype;
      a.big_endian = order == '>' && code[1] != '1';
      return;
    }
  refuse(place, "the dtype " + in_quotes(descr), "bool, int8 to int64, uint8, uint16, float16, float32 or float64");
}

std::uint64_t little(std::span<const std::byte> bytes, std::size_t at, std::size_t n) {
  std::uint64_t v = 0;
  for (std::size_t i = n; i-- > 0;) v = v << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  return v;
}

}  // namespace

std::uint64_t checked_bytes(const Shape& shape, int itemsize, const std::string& place) {
  if (shape.size() > most_axes) refuse(place, std::to_string(shape.size()) + " axes", "at most 64");
  std::int64_t product = itemsize;
  bool empty = false;
  for (const auto d : shape) {
    if (d < 0) refuse(place, "a negative extent in the shape " + to_string(shape), "0 or more");
    if (d == 0) empty = true;
    else if (__builtin_mul_overflow(product, d, &product)) refuse(place, "the shape " + to_string(shape) + ", which overflows", "a shape that fits the file");
  }
  return empty ? 0 : static_cast<std::uint64_t>(product);
}

NpyHeader parse_npy_header(std::span<const std::byte> file, const std::string& place) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() < 10) refuse(place, std::to_string(text.size()) + " bytes", "a .npy file (truncated?)");
  if (text.substr(0, 6) != magic) refuse(place, "a file that does not begin as .npy does", "\\x93NUMPY");
  const int major = static_cast<unsigned char>(text[6]), minor = static_cast<unsigned char>(text[7]);
  if (major < 1 || major > 3 || minor != 0) refuse(place, ".npy version " + std::to_string(major) + "." + std::to_string(minor), "1.0, 2.0 or 3.0");
  const std::size_t width = major == 1 ? 2 : 4;
  if (text.size() < 8 + width) refuse(place, std::to_string(text.size()) + " bytes", "a .npy header (truncated?)");
  const std::uint64_t length = little(file, 8, width);
  if (length > npy_longest_header) refuse(place, "a header of " + std::to_string(length) + " bytes", "at most 65536");
  if (text.size() - 8 - width < length) refuse(place, "a header cut off after " + std::to_string(text.size() - 8 - width) + " bytes", std::to_string(length));

  NpyHeader h;
  h.begin = 8 + width + length;
  Literal literal(text.substr(8 + width, length), place);
  bool descr = false, order = false, shape = false;
  literal.expect('{', "a dict as the .npy header");
  while (!literal.take('}')) {
    const auto key = literal.string("a key of the .npy header");
    literal.expect(':', "a colon after the key");
    if (key == "descr" && !descr) {
      if (literal.take('[')) refuse(place, "a structured dtype", "numbers");
      read_descr(literal.string("a dtype as descr"), h.array, place);
      descr = true;
    } else if (key == "fortran_order" && !order) {
      h.array.fortran = literal.boolean();
      order = true;
    } else if (key == "shape" && !shape) {
      h.array.shape = literal.shape();
      shape = true;
    } else {
      refuse(place, "the header's key " + in_quotes(key), "descr, fortran_order and shape, each once");
    }
    if (!literal.take(',')) {
      literal.expect('}', "a comma or the end of the dict");
      break;
    }
  }
  if (!literal.done()) literal.fail("nothing after the header's dict");
  if (!descr || !order || !shape) refuse(place, std::string("a header without ") + (!descr ? "descr" : !order ? "fortran_order" : "shape"), "all three keys");
  h.bytes = checked_bytes(h.array.shape, stored_bytes(h.array.dtype), place);
  return h;
}

NpyArray parse_npy(std::span<const std::byte> file, const std::string& place) {
  NpyHeader h = parse_npy_header(file, place);
  const std::uint64_t have = file.size() - h.begin;
  if (have != h.bytes)
    refuse(place, std::to_string(have) + " bytes of data", std::to_string(h.bytes) + " for the shape " + to_string(h.array.shape) + " of " + std::string(name(h.array.dtype)) + (have < h.bytes ? " (truncated?)" : ""));
  h.array.data = file.subspan(h.begin);
  return h.array;
}

Tensor to_tensor(const NpyArray& a, std::shared_ptr<const void> owner, const std::string& name) {
  const auto width = static_cast<std::size_t>(stored_bytes(a.dtype));
  Tensor t;
  if (!a.big_endian) {
    t.name = name;
    t.dtype = a.dtype;
    t.shape = a.shape;
    t.data = a.data.data();
    t.owner = std::move(owner);
  } else {
    std::vector<std::byte> bytes(a.data.begin(), a.data.end());
    for (std::size_t i = 0; i < bytes.size(); i += width) std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
    t = Tensor::of(name, a.dtype, a.shape, {}, std::move(bytes));
  }
  if (a.fortran && a.shape.size() > 1) {  // Fortran order is C order of the reversed axes
    std::reverse(t.shape.begin(), t.shape.end());
    std::vector<int> order(t.shape.size());
    std::iota(order.rbegin(), order.rend(), 0);
    t = permuted(t, order);
    t.stored_axes.clear();
  }
  return t;
}

namespace {

struct File {
  explicit File(int descriptor) : fd(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { if (fd >= 0) ::close(fd); }
  int fd;
};
constexpr int reading = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // NONBLOCK: a FIFO must not hang us

Mapping map_open(const File& file, const std::string& place) {
  const auto failed = [&](int error) { refuse(place, std::generic_category().message(error), "a readable file"); };
  struct stat s {};
  if (::fstat(file.fd, &s) != 0) failed(errno);
  if (!S_ISREG(s.st_mode)) refuse(place, S_ISDIR(s.st_mode) ? "a directory" : "no regular file", "a file");
  const auto size = static_cast<std::size_t>(s.st_size);
  if (size == 0) return {};
  if (size <= small_file) {  // read: cheaper than a page table's entries, and then it is in a cache
    auto bytes = shared_memory(size);
    for (std::size_t have = 0; have < size;) {
      const ssize_t n = ::read(file.fd, bytes.get() + have, size - have);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) failed(errno);
      if (n == 0) refuse(place, "a file that shrank while it was read", std::to_string(size) + " bytes");
      have += static_cast<std::size_t>(n);
    }
    const std::span<const std::byte> span(bytes.get(), size);
    return {std::move(bytes), span};
  }
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (at == MAP_FAILED) failed(errno);
  return {std::shared_ptr<const void>(at, [size](const void* p) { ::munmap(const_cast<void*>(p), size); }), {static_cast<const std::byte*>(at), size}};
}

}  // namespace

Mapping map_file(const std::filesystem::path& path, const std::string& place) {
  const File file(::open(path.c_str(), reading));
  if (file.fd < 0) refuse(place, std::generic_category().message(errno), "a readable file");
  return map_open(file, place);
}

Folder::Folder(std::string path, bool hold) : path_(std::move(path)), fd_(hold ? ::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1) {}

Folder::~Folder() { if (fd_ >= 0) ::close(fd_); }

std::optional<Mapping> Folder::map(const std::string& name, const std::string& place) const {
  const File file(fd_ >= 0 ? ::openat(fd_, name.c_str(), reading | O_NOFOLLOW) : ::open((path_ + "/" + name).c_str(), reading | O_NOFOLLOW));
  if (file.fd < 0) return std::nullopt;
  return map_open(file, place);
}

std::vector<std::byte> npy_bytes(const Tensor& t) {
  const auto stored = t.dtype == DType::uint4 || t.dtype == DType::uint2 ? DType::uint8 : t.dtype == DType::int4 || t.dtype == DType::int2 ? DType::int8 : t.dtype;
  std::string_view code;
  for (const auto& s : stored_types)
    if (s.dtype == stored) code = s.code;
  std::string header = "{'descr': '" + std::string(code[1] == '1' ? "|" : "<") + std::string(code) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < t.shape.size(); ++i) header += std::to_string(t.shape[i]) + (i + 1 < t.shape.size() ? ", " : t.shape.size() == 1 ? "," : "");
  header += "), }";
  if (!t.shape.empty()) header.append(21 - std::min<std::size_t>(21, std::to_string(t.shape[0]).size()), ' ');  // numpy keeps room to grow
  header.append(64 - (11 + header.size()) % 64, ' ');
  header += '\n';

  std::string file(magic);
  file += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  file += header;
  const std::size_t data = static_cast<std::size_t>(t.size()) * static_cast<std::size_t>(stored_bytes(t.dtype));
  std::vector<std::byte> bytes(file.size() + data);
  std::memcpy(bytes.data(), file.data(), file.size());
  if (data) std::memcpy(bytes.data() + file.size(), t.data, data);
  return bytes;
}

}  // namespace lastbit
