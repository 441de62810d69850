// archive.cpp: see archive.hpp. The archive is mapped once; every thread that reads borrows a handle of libzip over the mapping.
#include "lib/dump/archive.hpp"

#include <sys/mman.h>
#include <zip.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

struct Discard {
  void operator()(zip_t* z) const { zip_discard(z); }
  void operator()(zip_file_t* f) const { zip_fclose(f); }
};
using Handle = std::unique_ptr<zip_t, Discard>;
using Stream = std::unique_ptr<zip_file_t, Discard>;

Handle open_zip(std::span<const std::byte> bytes, const std::string& place) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
  if (!zip) {
    const std::string found = zip_error_strerror(&error);
    if (source) zip_source_free(source);
    zip_error_fini(&error);
    refuse(place, "no readable archive (" + one_line(found) + ")", "a .npz file");
  }
  zip_error_fini(&error);
  return Handle(zip);
}

/// Reads until `into` is full or the stream ends; returns how much came.
std::size_t read_some(zip_file_t* file, std::span<std::byte> into, const std::string& place) {
  std::size_t have = 0;
  while (have < into.size()) {
    const zip_int64_t n = zip_fread(file, into.data() + have, into.size() - have);
    if (n < 0) refuse(place, "damaged data (" + one_line(zip_error_strerror(zip_file_get_error(file))) + ")", "what the archive's checksum says");
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

// DEFLATE cannot shrink more than 1032:1. Arrays of one value come near that; whoever unpacks more than this much from a
// hundredth of it is not a dump.
constexpr std::uint64_t deflate_limit = 1032, suspicious_bytes = std::uint64_t{1} << 28, suspicious_ratio = 100;

}  // namespace

struct Archive::State {
  Mapping file;
  std::unordered_map<std::string, zip_int64_t> members;  // -1: named twice
  std::mutex mutex;
  std::vector<Handle> idle;
};

Archive::Archive(const std::filesystem::path& path, const std::string& place) : state_(std::make_unique<State>()) {
  state_->file = map_file(path, place);
  if (state_->file.bytes.empty()) refuse(place, "0 bytes", "a .npz file (truncated?)");
  Handle zip = open_zip(state_->file.bytes, place);
  const zip_int64_t n = zip_get_num_entries(zip.get(), 0);
  for (zip_int64_t i = 0; i < n; ++i)
    if (const char* name = zip_get_name(zip.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW)) {
      const auto [at, first] = state_->members.emplace(name, i);
      if (!first) at->second = -1;
    }
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
  if (it->second < 0) refuse(place, "two members of that name in the archive", "one");
  const auto index = static_cast<zip_uint64_t>(it->second);

  Handle zip;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->idle.empty()) {
      zip = std::move(state_->idle.back());
      state_->idle.pop_back();
    }
  }
  if (!zip) zip = open_zip(state_->file.bytes, place);

  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(zip.get(), index, 0, &stat) != 0 || (stat.valid & needed) != needed) refuse(place, "a member without a size", "a plain member");
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method != ZIP_EM_NONE) refuse(place, "an encrypted member", "a plain one");
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) refuse(place, "compression method " + std::to_string(stat.comp_method), "stored or deflated");
  if (stat.comp_size > state_->file.bytes.size()) refuse(place, "a member of " + std::to_string(stat.comp_size) + " bytes", "no more than the archive has (truncated?)");
  const std::uint64_t ratio = stat.comp_method == ZIP_CM_STORE ? 1 : stat.size > suspicious_bytes ? suspicious_ratio : deflate_limit;
  if (stat.size / ratio > stat.comp_size + 64) refuse(place, std::to_string(stat.size) + " bytes said to come from " + std::to_string(stat.comp_size), "at most " + std::to_string(ratio) + " times as many");

  Stream stream(zip_fopen_index(zip.get(), index, 0));
  if (!stream) refuse(place, "a damaged member (" + one_line(zip_strerror(zip.get())) + ")", "a readable one");
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(stat.size, npy_longest_header + 12)));
  const std::size_t got = read_some(stream.get(), head, place);
  head.resize(got);
  NpyHeader header = parse_npy_header(head, place);
  accept(header.array);
  if (header.bytes != stat.size - header.begin)
    refuse(place, std::to_string(stat.size) + " bytes in the archive", std::to_string(header.begin + header.bytes) + " for the shape " + to_string(header.array.shape) + " of " + std::string(name(header.array.dtype)));
  if (header.begin + header.bytes > stat.size || got != std::min<std::uint64_t>(stat.size, npy_longest_header + 12)) refuse(place, "a member cut off after " + std::to_string(got) + " bytes", std::to_string(stat.size));

  const auto bytes = static_cast<std::size_t>(header.bytes);
  std::shared_ptr<std::byte[]> data(new std::byte[bytes == 0 ? 1 : bytes]);
  const std::size_t early = head.size() - header.begin;
  std::copy(head.begin() + static_cast<std::ptrdiff_t>(header.begin), head.end(), data.get());
  if (const std::size_t rest = read_some(stream.get(), {data.get() + early, bytes - early}, place); early + rest != bytes)
    refuse(place, "a member cut off after " + std::to_string(header.begin + early + rest) + " bytes", std::to_string(stat.size));
  std::byte one;
  if (read_some(stream.get(), {&one, 1}, place) != 0) refuse(place, "more bytes than the archive says", std::to_string(stat.size));
  header.array.data = {data.get(), bytes};
  Tensor t = to_tensor(header.array, data, member);

  // What has been read may leave memory: a dump far larger than it is read through a few pages.
  constexpr std::uint64_t worth_a_call = std::uint64_t{1} << 20;
  if (stat.comp_size >= worth_a_call) ::madvise(const_cast<std::byte*>(state_->file.bytes.data()), state_->file.bytes.size(), MADV_DONTNEED);

  stream.reset();  // closing touches the handle, which another thread may have as soon as it is idle
  const std::lock_guard lock(state_->mutex);
  state_->idle.push_back(std::move(zip));
  return t;
}

}  // namespace lastbit
