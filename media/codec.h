// PNG, JPEG and WebP, read and written. The format is told by signature on reading, by extension on writing.
// Not applied: EXIF orientation, colour profiles, gamma. Sixteen-bit PNG is rounded to eight; palettes are expanded.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "media/image.h"

namespace thimble::media {

enum class ImageFormat { png, jpeg, webp };

struct EncodeOptions {
  int quality = 90;         // 0..100; JPEG, and WebP when not lossless
  bool lossless = false;    // WebP: exact, also under transparent pixels
  int alpha_quality = 100;  // 0..100; lossy WebP: 100 keeps alpha exactly
  int effort = 4;           // 0..6; WebP: slower and smaller
  bool sharp = false;       // lossy WebP: slower and sharper conversion of colour edges
  int png_level = 6;        // 0..9, zlib's
};

// Reads PNG, JPEG or WebP. `what` names the source in errors (a path, "request body"). A truncated, damaged, animated
// or oversized picture is bad_file; a CMYK JPEG is unsupported. Sizes are checked before anything is allocated.
Image decode_image(std::span<const std::byte> bytes, std::string_view what);
Image read_image(const std::filesystem::path& path);

// JPEG takes 1 or 3 channels, the others 1, 3 or 4 (grey WebP is stored as RGB).
std::string encode_image(const Image& image, ImageFormat format, const EncodeOptions& options = {});
// Extension .png, .jpg, .jpeg or .webp; written whole or not at all.
void write_image(const std::filesystem::path& path, const Image& image, const EncodeOptions& options = {});
ImageFormat format_of_extension(const std::filesystem::path& path);

}  // namespace thimble::media
