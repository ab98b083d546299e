// Distances between two pictures of one size, computed on their samples. Not perceptual: see metrics/perceptual.h.
#pragma once

#include "media/image.h"

namespace thimble::metrics {

// 10 log10(255^2 / mean squared error) over all channels, in dB; infinite for equal pictures.
double psnr(const media::Image& a, const media::Image& b);

// Structural similarity (Wang et al. 2004): 11x11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, no padding,
// the mean over channels. 1 for equal pictures. Pictures of at least 11x11.
double ssim(const media::Image& a, const media::Image& b);

}  // namespace thimble::metrics
