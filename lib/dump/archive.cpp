// archive.cpp: see archive.hpp. The archive is mapped once; every thread that reads borrows a handle of minizip over the mapping.
#include "lib/dump/archive.hpp"

#include <minizip/unzip.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "lib/dump/words.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

/// What minizip reads as a file: bytes in memory.
struct Reader {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};
Reader& reader(voidpf stream) { return *static_cast<Reader*>(stream); }

uLong read(voidpf, voidpf stream, void* to, uLong size) {
  Reader& r = reader(stream);
  const std::size_t n = std::min<std::size_t>(size, r.bytes.size() - r.at);
  if (n) std::memcpy(to, r.bytes.data() + r.at, n);
  r.at += n;
  return static_cast<uLong>(n);
}
auto seek(voidpf, voidpf stream, ZPOS64_T offset, int origin) -> decltype(seek64_file_func{}(nullptr, nullptr, 0, 0)) {
  Reader& r = reader(stream);
  const std::size_t from = origin == ZLIB_FILEFUNC_SEEK_SET ? 0 : origin == ZLIB_FILEFUNC_SEEK_CUR ? r.at : r.bytes.size();
  if (offset > r.bytes.size() - from) return -1;
  r.at = from + static_cast<std::size_t>(offset);
  return 0;
}

class Handle {
 public:
  Handle() = default;
  Handle(std::span<const std::byte> bytes, const std::string& place) : reader_(std::make_unique<Reader>(Reader{bytes})) {
    zlib_filefunc64_def functions{};
    functions.opaque = reader_.get();
    functions.zopen64_file = [](voidpf opaque, const void*, int) { return opaque; };
    functions.zread_file = read;
    functions.ztell64_file = [](voidpf, voidpf stream) { return static_cast<ZPOS64_T>(reader(stream).at); };
    functions.zseek64_file = seek;
    functions.zclose_file = functions.zerror_file = [](voidpf, voidpf) { return 0; };
    file_.reset(unzOpen2_64(place.c_str(), &functions));
    if (!file_) refuse(place, "no readable archive (no directory of a zip file at its end)", "a .npz file");
  }
  explicit operator bool() const { return file_ != nullptr; }
  unzFile get() const { return file_.get(); }

 private:
  struct Close {
    void operator()(void* file) const { unzClose(file); }
  };
  std::unique_ptr<Reader> reader_;  // outlives what reads with it
  std::unique_ptr<void, Close> file_;
};

/// Where a member is, and what the directory says of it.
struct Member {
  unz64_file_pos position{};
  unz_file_info64 info{};
  bool twice = false;
};

std::unordered_map<std::string, Member> members_of(unzFile file, const std::string& place) {
  std::unordered_map<std::string, Member> members;
  unz_global_info64 all{};
  int status = unzGetGlobalInfo64(file, &all) == UNZ_OK && all.number_entry == 0 ? UNZ_END_OF_LIST_OF_FILE : unzGoToFirstFile(file);
  std::string name(256, '\0');  // most fit, and are read in one go with what is said of them
  for (; status == UNZ_OK; status = unzGoToNextFile(file)) {
    Member m;
    status = unzGetCurrentFileInfo64(file, &m.info, name.data(), static_cast<uLong>(name.size()), nullptr, 0, nullptr, 0);
    if (status != UNZ_OK) break;
    if (m.info.size_filename > name.size()) {
      name.resize(m.info.size_filename);
      if (unzGetCurrentFileInfo64(file, nullptr, name.data(), m.info.size_filename, nullptr, 0, nullptr, 0) != UNZ_OK) break;
    }
    if (unzGetFilePos64(file, &m.position) != UNZ_OK) break;
    const auto [at, first] = members.emplace(name.substr(0, m.info.size_filename), m);
    if (!first) at->second.twice = true;
  }
  if (status != UNZ_END_OF_LIST_OF_FILE) refuse(place, "no readable archive (a damaged directory)", "a .npz file");
  return members;
}

/// What minizip and zlib return.
std::string words_of(int status) {
  switch (status) {
    case UNZ_CRCERROR: return "another checksum";
    case UNZ_BADZIPFILE: return "other words before the data than in the directory";
    case UNZ_PARAMERROR: return "no data there";
    case UNZ_INTERNALERROR: return "internal error";
    default: return one_line(zError(status));
  }
}

/// The member that a handle has open, until it is closed.
class Stream {
 public:
  Stream(unzFile file, const Member& member, const std::string& place) : file_(file), place_(place) {
    int status = unzGoToFilePos64(file, &member.position);
    if (status == UNZ_OK) status = unzOpenCurrentFile(file);
    if (status != UNZ_OK) refuse(place, "a damaged member (" + words_of(status) + ")", "a readable one");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { if (!closed_) unzCloseCurrentFile(file_); }

  /// Reads until `into` is full or the stream ends; returns how much came.
  std::size_t read_some(std::span<std::byte> into) {
    std::size_t have = 0;
    while (have < into.size()) {
      const int n = unzReadCurrentFile(file_, into.data() + have, static_cast<unsigned>(std::min<std::size_t>(into.size() - have, std::size_t{1} << 30)));
      if (n < 0) damaged(n);
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    return have;
  }
  /// After the last byte: whether the checksum is what the directory says.
  void close() {
    closed_ = true;
    if (const int status = unzCloseCurrentFile(file_); status != UNZ_OK) damaged(status);
  }

 private:
  [[noreturn]] void damaged(int status) const { refuse(place_, "damaged data (" + words_of(status) + ")", "what the archive's checksum says"); }
  unzFile file_;
  const std::string& place_;
  bool closed_ = false;
};

// DEFLATE cannot shrink more than 1032:1. Arrays of one value come near that; whoever unpacks more than this much from a
// hundredth of it is not a dump.
constexpr std::uint64_t deflate_limit = 1032, suspicious_bytes = std::uint64_t{1} << 28, suspicious_ratio = 100;

}  // namespace

struct Archive::State {
  Mapping file;
  std::unordered_map<std::string, Member> members;
  std::mutex mutex;
  std::vector<Handle> idle;
};

Archive::Archive(const std::filesystem::path& path, const std::string& place) : state_(std::make_unique<State>()) {
  state_->file = map_file(path, place);
  if (state_->file.bytes.empty()) refuse(place, "0 bytes", "a .npz file (truncated?)");
  Handle zip(state_->file.bytes, place);
  state_->members = members_of(zip.get(), place);
  state_->idle.push_back(std::move(zip));
}

Archive::~Archive() = default;

Tensor Archive::read(const std::string& member, const std::string& place, const std::function<void(const NpyArray&)>& accept) const {
  auto it = state_->members.find(member);
  if (const auto npy = state_->members.find(member + ".npy"); npy != state_->members.end()) {
    if (it != state_->members.end()) refuse(place, "two members of that name in the archive, with and without .npy", "one");
    it = npy;
  }
  if (it == state_->members.end()) refuse(place, "no such member in the archive", "one of that name");
  if (it->second.twice) refuse(place, "two members of that name in the archive", "one");
  const unz_file_info64& info = it->second.info;
  const std::uint64_t size = info.uncompressed_size, packed = info.compressed_size;
  constexpr uLong encrypted = 1;
  if (info.flag & encrypted) refuse(place, "an encrypted member", "a plain one");
  if (info.compression_method != 0 && info.compression_method != Z_DEFLATED) refuse(place, "compression method " + std::to_string(info.compression_method), "stored or deflated");
  if (packed > state_->file.bytes.size()) refuse(place, "a member of " + std::to_string(packed) + " bytes", "no more than the archive has (truncated?)");
  const std::uint64_t ratio = info.compression_method == 0 ? 1 : size > suspicious_bytes ? suspicious_ratio : deflate_limit;
  if (size / ratio > packed + 64) refuse(place, std::to_string(size) + " bytes said to come from " + std::to_string(packed), "at most " + std::to_string(ratio) + " times as many");

  Handle zip;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->idle.empty()) {
      zip = std::move(state_->idle.back());
      state_->idle.pop_back();
    }
  }
  if (!zip) zip = Handle(state_->file.bytes, place);

  Stream stream(zip.get(), it->second, place);
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(size, npy_longest_header + 12)));
  if (const std::size_t got = stream.read_some(head); got != head.size()) refuse(place, "damaged data (a stream that ends after " + std::to_string(got) + " bytes)", "the archive's " + std::to_string(size));
  NpyHeader header = parse_npy_header(head, place);
  accept(header.array);
  if (header.bytes != size - header.begin)
    refuse(place, std::to_string(size) + " bytes in the archive", std::to_string(header.begin + header.bytes) + " for the shape " + to_string(header.array.shape) + " of " + std::string(name(header.array.dtype)));

  const auto bytes = static_cast<std::size_t>(header.bytes);
  const auto data = shared_memory(bytes);
  const std::size_t early = head.size() - header.begin;
  std::copy(head.begin() + static_cast<std::ptrdiff_t>(header.begin), head.end(), data.get());
  if (const std::size_t rest = stream.read_some({data.get() + early, bytes - early}); early + rest != bytes)
    refuse(place, "a member cut off after " + std::to_string(header.begin + early + rest) + " bytes", std::to_string(size));
  stream.close();
  header.array.data = {data.get(), bytes};
  Tensor t = to_tensor(header.array, data, member);

  // What has been read may leave memory: a dump far larger than it is read through a few pages.
  constexpr std::uint64_t worth_a_call = std::uint64_t{1} << 20;
  if (packed >= worth_a_call) ::madvise(const_cast<std::byte*>(state_->file.bytes.data()), state_->file.bytes.size(), MADV_DONTNEED);

  const std::lock_guard lock(state_->mutex);
  state_->idle.push_back(std::move(zip));
  return t;
}

}  // namespace lastbit
