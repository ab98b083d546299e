#include "media/transform.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::media {
namespace {

// a*b/255, rounded, for a and b in 0..255.
int scaled(int a, int b) { return (a * b + 127) / 255; }

void want_rgba(const Image& image) {
  if (image.channels != 4)
    fail(ErrorKind::bad_input, "a picture with alpha was wanted, this one has {} channels", image.channels);
}

int luma(const std::uint8_t* p) { return (299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000; }

}  // namespace

Image composite(const Image& image, Rgb background) {
  if (image.channels != 4) return to_channels(image, 3);
  Image out(image.width, image.height, 3);
  const int colour[3] = {background.r, background.g, background.b};
  const std::uint8_t* from = image.pixels.data();
  for (std::size_t i = 0; i < out.pixels.size(); i += 3, from += 4) {
    const int alpha = from[3];
    for (std::size_t c = 0; c < 3; ++c) {
      out.pixels[i + c] = static_cast<std::uint8_t>((from[c] * alpha + colour[c] * (255 - alpha) + 127) / 255);
    }
  }
  return out;
}

void draw_over(Image& below, const Image& above, int x, int y) {
  if (below.channels < 3)
    fail(ErrorKind::bad_input, "drawing over needs a colour picture below, it has {} channel", below.channels);
  const Image top = to_channels(above, 4);
  const int x0 = std::max(0, x), x1 = std::min(below.width, x + top.width);
  for (int py = std::max(0, y); py < std::min(below.height, y + top.height); ++py) {
    for (int px = x0; px < x1; ++px) {
      const std::uint8_t* s = top.at(px - x, py - y);
      std::uint8_t* d = below.at(px, py);
      const int alpha = s[3];
      if (alpha == 0) continue;
      const int under = below.channels == 4 ? scaled(d[3], 255 - alpha) : 255 - alpha;  // weight of what lies below
      const int total = alpha + under;
      for (int c = 0; c < 3; ++c) d[c] = static_cast<std::uint8_t>((s[c] * alpha + d[c] * under + total / 2) / total);
      if (below.channels == 4) d[3] = static_cast<std::uint8_t>(total);
    }
  }
}

Image premultiply(const Image& rgba) {
  want_rgba(rgba);
  Image out = rgba;
  for (std::size_t i = 0; i < out.pixels.size(); i += 4) {
    for (std::size_t c = 0; c < 3; ++c)
      out.pixels[i + c] = static_cast<std::uint8_t>(scaled(out.pixels[i + c], out.pixels[i + 3]));
  }
  return out;
}

Image unpremultiply(const Image& rgba) {
  want_rgba(rgba);
  Image out = rgba;
  for (std::size_t i = 0; i < out.pixels.size(); i += 4) {
    const int alpha = out.pixels[i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int v = alpha == 0 ? 0 : std::min(255, (out.pixels[i + c] * 255 + alpha / 2) / alpha);
      out.pixels[i + c] = static_cast<std::uint8_t>(v);
    }
  }
  return out;
}

Image flip_horizontal(const Image& image) {
  Image out = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) std::copy_n(image.at(x, y), image.channels, out.at(image.width - 1 - x, y));
  }
  return out;
}

Image flip_vertical(const Image& image) {
  Image out = image;
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.at(0, y), image.offset(0, 1), out.at(0, image.height - 1 - y));
  return out;
}

Image crop(const Image& image, int x, int y, int width, int height) {
  if (x < 0 || y < 0 || width < 1 || height < 1 || x > image.width - width || y > image.height - height) {
    fail(ErrorKind::bad_input, "cannot cut {}x{} at ({}, {}) out of a picture of {}x{}", width, height, x, y,
         image.width, image.height);
  }
  Image out(width, height, image.channels);
  for (int row = 0; row < height; ++row) std::copy_n(image.at(x, y + row), out.offset(0, 1), out.at(0, row));
  return out;
}

Image to_channels(const Image& image, int channels) {
  if (channels == image.channels) return image;
  Image out(image.width, image.height, channels);
  const std::size_t count = out.pixels.size() / static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* s = image.pixels.data() + i * static_cast<std::size_t>(image.channels);
    std::uint8_t* d = out.pixels.data() + i * static_cast<std::size_t>(channels);
    if (channels == 1) {
      *d = static_cast<std::uint8_t>(luma(s));
      continue;
    }
    for (int c = 0; c < 3; ++c) d[c] = image.channels == 1 ? s[0] : s[c];
    if (channels == 4) d[3] = 255;
  }
  return out;
}

}  // namespace thimble::media
