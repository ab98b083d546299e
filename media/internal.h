// Shared by the codecs of this folder; nothing outside includes it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "media/codec.h"

namespace thimble::media::internal {

Image decode_png(std::span<const std::byte> bytes, std::string_view what);
Image decode_jpeg(std::span<const std::byte> bytes, std::string_view what);
Image decode_webp(std::span<const std::byte> bytes, std::string_view what);

std::string encode_png(const Image& image, const EncodeOptions& options);
std::string encode_jpeg(const Image& image, const EncodeOptions& options);
std::string encode_webp(const Image& image, const EncodeOptions& options);

// Refuses a foreign picture by its header, before memory is asked for.
inline void check_size(std::int64_t width, std::int64_t height, std::string_view what) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide || width * height > kMaxPixels) {
    fail(ErrorKind::bad_file, "{}: the header says {}x{} pixels; sides of 1..{} and at most {} pixels are read", what,
         width, height, kMaxSide, kMaxPixels);
  }
}

}  // namespace thimble::media::internal
