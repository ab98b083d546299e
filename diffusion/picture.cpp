#include "diffusion/picture.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "media/transform.h"

namespace thimble::diffusion {
namespace {

float unit(float v) { return std::isnan(v) ? 0.0f : std::clamp(0.5f * v + 0.5f, 0.0f, 1.0f); }
std::uint8_t to_byte(float v) { return static_cast<std::uint8_t>(std::lrint(255.0f * v)); }

}  // namespace

media::Image to_image(std::span<const float> values, int width, int height, int channels) {
  media::Image image(width, height, channels);
  check((channels == 3 || channels == 4) && values.size() == image.pixels.size(),
        "a picture of the size that was said");
  if (channels == 3) {
    std::transform(values.begin(), values.end(), image.pixels.begin(), [](float v) { return to_byte(unit(v)); });
    return image;
  }
  for (std::size_t i = 0; i < values.size(); i += 4) {
    const float alpha = unit(values[i + 3]);
    image.pixels[i + 3] = to_byte(alpha);
    if (image.pixels[i + 3] == 0) continue;  // colour under nothing stays zero
    for (std::size_t c = 0; c < 3; ++c) image.pixels[i + c] = to_byte(std::min(1.0f, unit(values[i + c]) / alpha));
  }
  return image;
}

void from_image(const media::Image& image, int channels, std::span<float> values) {
  const media::Image source = channels == 4 ? media::to_channels(image, 4) : media::composite(image, {255, 255, 255});
  check(values.size() == source.pixels.size(), "a picture of the size that was said");
  for (std::size_t i = 0; i < values.size(); ++i) {
    float v = static_cast<float>(source.pixels[i]) / 255.0f;
    if (channels == 4 && i % 4 != 3) v *= static_cast<float>(source.pixels[i - i % 4 + 3]) / 255.0f;
    values[i] = 2 * v - 1;
  }
}

}  // namespace thimble::diffusion
