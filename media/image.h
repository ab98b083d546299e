// A picture in memory: 8 bits a channel, rows from the top. Not here: files (media/codec.h), resizing
// (media/transform.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace thimble::media {

inline constexpr int kMaxSide = 16384;                   // pixels
inline constexpr std::int64_t kMaxPixels = 256'000'000;  // width times height

// channels: 1 grey, 3 RGB, 4 RGBA with straight (not premultiplied) alpha. pixels: (H, W, C), H*W*C bytes.
struct Image {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  // All zero. Refuses sides outside 1..kMaxSide, more than kMaxPixels, or channels other than 1, 3, 4 (bad_input).
  Image(int width, int height, int channels);

  std::size_t offset(int x, int y) const {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
           static_cast<std::size_t>(channels);
  }
  std::uint8_t* at(int x, int y) { return pixels.data() + offset(x, y); }
  const std::uint8_t* at(int x, int y) const { return pixels.data() + offset(x, y); }
  bool empty() const { return pixels.empty(); }
  bool operator==(const Image&) const = default;
};

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Rgb&) const = default;
};

}  // namespace thimble::media
