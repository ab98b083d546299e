// Between a network's picture, premultiplied RGBA (H, W, 4) or RGB (H, W, 3) in [-1, 1], and 8-bit pictures with
// straight alpha.
#pragma once

#include <span>

#include "media/image.h"

namespace thimble::diffusion {

// Values outside [-1, 1] are clamped, colour to at most alpha. `values` has size * size * channels floats.
media::Image to_image(std::span<const float> values, int width, int height, int channels);

// The reverse, into `values` of image.width * image.height * channels floats; channels 4 or 3 (over white).
void from_image(const media::Image& image, int channels, std::span<float> values);

}  // namespace thimble::diffusion
