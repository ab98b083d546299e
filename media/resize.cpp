// Separable resizing: a weight table per axis, rows first into float, then columns.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "media/transform.h"

namespace thimble::media {
namespace {

struct Taps {
  int first = 0;
  std::vector<float> weights;  // sum 1
};

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

// R. G. Keys, "Cubic convolution interpolation", 1981, a = -0.5.
double cubic(double x) {
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

std::vector<Taps> taps_of(int from, int to, Filter filter) {
  std::vector<Taps> all(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / to;  // source pixels per target pixel
  const bool box = filter == Filter::area && scale >= 1;
  const double width = std::max(1.0, scale);
  const double radius = box ? scale / 2 : filter == Filter::bicubic ? 2 * width : width;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(centre - radius + 1e-9)));
    const int last = std::min(from, static_cast<int>(std::ceil(centre + radius - 1e-9)));
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    double sum = 0;
    std::vector<double> weights;
    for (int s = first; s < last; ++s) {
      double w = 0;
      if (box) {
        w = std::max(0.0, std::min(s + 1.0, centre + radius) - std::max<double>(s, centre - radius));
      } else {
        const double x = (s + 0.5 - centre) / width;
        w = filter == Filter::bicubic ? cubic(x) : triangle(x);
      }
      weights.push_back(w);
      sum += w;
    }
    for (double w : weights) taps.weights.push_back(static_cast<float>(w / sum));
  }
  return all;
}

std::vector<float> to_premultiplied_floats(const Image& image) {
  std::vector<float> v(image.pixels.begin(), image.pixels.end());
  if (image.channels != 4) return v;
  for (std::size_t i = 0; i < v.size(); i += 4) {
    for (std::size_t c = 0; c < 3; ++c) v[i + c] *= v[i + 3] / 255.0f;
  }
  return v;
}

std::uint8_t to_byte(float v) { return static_cast<std::uint8_t>(std::clamp(std::lround(v), 0L, 255L)); }

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  Image out(width, height, image.channels);
  if (image.empty()) fail(ErrorKind::bad_input, "cannot resize an empty picture");
  if (width == image.width && height == image.height) return image;
  const auto source = to_premultiplied_floats(image);
  const auto channels = static_cast<std::size_t>(image.channels);
  const auto across = taps_of(image.width, width, filter), down = taps_of(image.height, height, filter);
  const std::size_t row = static_cast<std::size_t>(width) * channels;

  std::vector<float> narrow(static_cast<std::size_t>(image.height) * row, 0.0f);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    const float* from = source.data() + y * static_cast<std::size_t>(image.width) * channels;
    for (std::size_t x = 0; x < across.size(); ++x) {
      float* to = narrow.data() + y * row + x * channels;
      const float* s = from + static_cast<std::size_t>(across[x].first) * channels;
      for (const float w : across[x].weights) {
        for (std::size_t c = 0; c < channels; ++c) to[c] += w * *s++;
      }
    }
  }

  std::vector<float> line(row);
  for (std::size_t y = 0; y < down.size(); ++y) {
    std::fill(line.begin(), line.end(), 0.0f);
    const float* s = narrow.data() + static_cast<std::size_t>(down[y].first) * row;
    for (const float w : down[y].weights) {
      for (std::size_t i = 0; i < row; ++i) line[i] += w * s[i];
      s += row;
    }
    std::uint8_t* to = out.pixels.data() + y * row;
    if (channels == 4) {
      for (std::size_t i = 0; i < row; i += 4) {
        const float alpha = line[i + 3];
        if (alpha < 0.5f) continue;  // invisible: colour stays 0
        for (std::size_t c = 0; c < 3; ++c) to[i + c] = to_byte(line[i + c] * 255.0f / alpha);
        to[i + 3] = to_byte(alpha);
      }
    } else {
      for (std::size_t i = 0; i < row; ++i) to[i] = to_byte(line[i]);
    }
  }
  return out;
}

}  // namespace thimble::media
