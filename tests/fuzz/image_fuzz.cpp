// Target: PNG, JPEG and WebP, and the texts of a PNG. A PNG's chunk sums are repaired first, since a mutated one would
// else be refused at once.
#include "media/codec.h"
#include "media/png_text.h"

#include <array>

#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::uint32_t big_endian(std::string_view s) {
  std::uint32_t v = 0;
  for (const char c : s.substr(0, 4)) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

// Chunks are: length, type, data, CRC of type and data.
std::string with_png_sums(std::string_view input) {
  std::string s(input);
  constexpr std::size_t kSignature = 8, kAround = 12;
  if (s.size() < kSignature || s.substr(1, 3) != "PNG") return s;
  for (std::size_t at = kSignature; at + kAround <= s.size();) {
    const std::size_t length = big_endian(std::string_view(s).substr(at));
    if (length > s.size() - at - kAround) break;
    const std::uint32_t crc = crc32(std::string_view(s).substr(at + 4, length + 4));
    for (std::size_t i = 0; i < 4; ++i) s[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i) & 0xff);
    at += length + kAround;
  }
  return s;
}

}  // namespace

std::vector<std::string> seeds() {
  using media::ImageFormat;
  std::vector<std::string> all;
  for (const int channels : {1, 3, 4}) {
    media::Image image(9, 5, channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 % 256);
    for (const auto format : {ImageFormat::png, ImageFormat::jpeg, ImageFormat::webp}) {
      if (format == ImageFormat::jpeg && channels == 4) continue;
      all.push_back(media::encode_image(image, format));
      if (format == ImageFormat::png) all.push_back(media::add_png_text(all.back(), "key", "a text, {\"seed\": 7}"));
    }
    all.push_back(media::encode_image(image, ImageFormat::webp, {.lossless = true}));
  }
  return all;
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string input = fuzz::with_png_sums(fuzz::text_of(data, size));
  fuzz::survives([&] {
    const auto text = media::find_png_text(fuzz::bytes_of(input), "key", "input");
    fuzz::require(!text || text->size() <= 2 * media::kMaxPngText);
    if (text) fuzz::touch(std::as_bytes(std::span(*text)));
  });
  return fuzz::survives([&] {
    const media::Image image = media::decode_image(fuzz::bytes_of(input), "input");
    fuzz::require(image.width > 0 && image.height > 0 && image.width <= media::kMaxSide &&
                  image.height <= media::kMaxSide);
    fuzz::require(image.pixels.size() == static_cast<std::size_t>(image.width) *
                                             static_cast<std::size_t>(image.height) *
                                             static_cast<std::size_t>(image.channels));
    fuzz::touch(std::as_bytes(std::span(image.pixels)));
  });
}
