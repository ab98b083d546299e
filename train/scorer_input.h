// How a picture becomes the scorer's input, in training and in use.
#pragma once

#include <span>

#include "media/image.h"

namespace thimble::train {

// RGB 8-bit (side, side, 3) to [-1, 1].
void scorer_pixels(const media::Image& rgb, std::span<float> out);

}  // namespace thimble::train
