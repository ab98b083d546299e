// Deflate, bounded: the output never passes what the caller allows. zlib does the work.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "gauge/bytes.h"

namespace thimble::gauge {

enum class Wrap { raw, gzip };  // as zip entries hold it; with gzip's header and trailer, one or more one after another

// The first `count` bytes, fewer when the stream ends before. Refused (malformed) or Truncated when it is broken there.
std::string inflate_head(Bytes packed, Wrap wrap, std::size_t count);

// Inflates all into `out` and returns how many bytes it took; refuses (lying_size) a stream that holds more.
std::size_t inflate_all(Bytes packed, Wrap wrap, std::span<std::byte> out);

std::uint32_t crc32_of(Bytes bytes);

// The densest deflate can be is 258 bytes from two bits; with the stream's own header this bounds what `packed` can
// hold.
inline std::uint64_t most_inflated(std::uint64_t packed) {
  return packed > (~0ull >> 11) ? ~0ull : packed * 1032 + 1024;
}

}  // namespace thimble::gauge
