#include "media/codec.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "media/internal.h"

namespace thimble::media {
namespace {

bool starts_with(std::span<const std::byte> bytes, std::string_view signature, std::size_t at = 0) {
  return bytes.size() >= at + signature.size() &&
         std::memcmp(bytes.data() + at, signature.data(), signature.size()) == 0;
}

void check_image(const Image& image) {
  const Image same(image.width, image.height, image.channels);
  if (same.pixels.size() != image.pixels.size()) {
    fail(ErrorKind::bad_input, "a picture of {}x{}x{} holds {} bytes, {} were wanted", image.width, image.height,
         image.channels, image.pixels.size(), same.pixels.size());
  }
}

}  // namespace

Image decode_image(std::span<const std::byte> bytes, std::string_view what) {
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return internal::decode_png(bytes, what);
  if (starts_with(bytes, "\xff\xd8\xff")) return internal::decode_jpeg(bytes, what);
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return internal::decode_webp(bytes, what);
  fail(ErrorKind::bad_file, "{}: not a picture that can be read ({} bytes, no PNG, JPEG or WebP signature)", what,
       bytes.size());
}

Image read_image(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return decode_image(file->bytes(), path.string());
}

std::string encode_image(const Image& image, ImageFormat format, const EncodeOptions& options) {
  check_image(image);
  switch (format) {
    case ImageFormat::png: return internal::encode_png(image, options);
    case ImageFormat::jpeg: return internal::encode_jpeg(image, options);
    case ImageFormat::webp: return internal::encode_webp(image, options);
  }
  fail(ErrorKind::internal, "picture format {}", static_cast<int>(format));
}

ImageFormat format_of_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (extension == ".png") return ImageFormat::png;
  if (extension == ".jpg" || extension == ".jpeg") return ImageFormat::jpeg;
  if (extension == ".webp") return ImageFormat::webp;
  fail(ErrorKind::bad_input, "cannot tell the picture format of {}: end the name in .png, .jpg or .webp",
       path.string());
}

void write_image(const std::filesystem::path& path, const Image& image, const EncodeOptions& options) {
  write_file(path, encode_image(image, format_of_extension(path), options));
}

}  // namespace thimble::media
