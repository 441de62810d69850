// buffers.hpp: memory for files that are read, used again for the next ones.
#pragma once
#include <cstddef>
#include <memory>

namespace lastbit {

/// Of at least that many bytes, aligned to 64; given back with the last owner, and handed out again while a processor's caches hold it.
/// Safe for many threads.
std::shared_ptr<std::byte> take_buffer(std::size_t bytes);

}  // namespace lastbit
