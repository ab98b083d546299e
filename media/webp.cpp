// WebP through libwebp. Still pictures only; a lossless one is kept exactly, also where it is transparent.
#include <webp/decode.h>
#include <webp/encode.h>

#include <algorithm>

#include "media/internal.h"
#include "media/transform.h"

namespace thimble::media::internal {
namespace {

struct Output {
  WebPMemoryWriter writer;
  Output() { WebPMemoryWriterInit(&writer); }
  ~Output() { WebPMemoryWriterClear(&writer); }
};

struct Picture {
  WebPPicture picture;
  Picture() { check(WebPPictureInit(&picture) != 0, "libwebp of another version than its headers"); }
  ~Picture() { WebPPictureFree(&picture); }
};

}  // namespace

Image decode_webp(std::span<const std::byte> bytes, std::string_view what) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  // The decoder accepts a file without its last bytes where they carry no pixels; the container says how long it is.
  const std::uint64_t wanted = 8 + (std::uint64_t{data[4]} | std::uint64_t{data[5]} << 8 |
                                    std::uint64_t{data[6]} << 16 | std::uint64_t{data[7]} << 24);
  if (bytes.size() < wanted) {
    fail(ErrorKind::bad_file, "{}: not a readable WebP: {} bytes, the header promises {}", what, bytes.size(), wanted);
  }
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) {
    fail(ErrorKind::bad_file, "{}: not a readable WebP: damaged header", what);
  }
  check_size(features.width, features.height, what);
  if (features.has_animation != 0) fail(ErrorKind::bad_file, "{}: an animated WebP, a still picture was wanted", what);
  Image image(features.width, features.height, features.has_alpha != 0 ? 4 : 3);
  const int stride = image.width * image.channels;
  const auto* done = image.channels == 4
                         ? WebPDecodeRGBAInto(data, bytes.size(), image.pixels.data(), image.pixels.size(), stride)
                         : WebPDecodeRGBInto(data, bytes.size(), image.pixels.data(), image.pixels.size(), stride);
  if (done == nullptr) fail(ErrorKind::bad_file, "{}: not a readable WebP: damaged or truncated picture data", what);
  return image;
}

std::string encode_webp(const Image& image, const EncodeOptions& options) {
  if (image.channels == 1) return encode_webp(to_channels(image, 3), options);
  WebPConfig config;
  check(WebPConfigInit(&config) != 0, "libwebp of another version than its headers");
  config.quality = static_cast<float>(std::clamp(options.quality, 0, 100));
  config.method = std::clamp(options.effort, 0, 6);
  config.alpha_quality = std::clamp(options.alpha_quality, 0, 100);
  config.use_sharp_yuv = options.sharp && !options.lossless ? 1 : 0;
  config.lossless = options.lossless ? 1 : 0;
  config.exact = config.lossless;
  Picture p;
  Output out;
  p.picture.width = image.width;
  p.picture.height = image.height;
  p.picture.use_argb = options.lossless || options.sharp ? 1 : 0;
  const int stride = image.width * image.channels;
  const int imported = image.channels == 4 ? WebPPictureImportRGBA(&p.picture, image.pixels.data(), stride)
                                           : WebPPictureImportRGB(&p.picture, image.pixels.data(), stride);
  p.picture.writer = WebPMemoryWrite;
  p.picture.custom_ptr = &out.writer;
  if (imported == 0 || WebPEncode(&config, &p.picture) == 0) {
    fail(ErrorKind::io, "cannot encode a WebP of {}x{}: libwebp error {}", image.width, image.height,
         static_cast<int>(p.picture.error_code));
  }
  return std::string(reinterpret_cast<const char*>(out.writer.mem), out.writer.size);
}

}  // namespace thimble::media::internal
