// Heun's method along the path of a rectified flow: an Euler step, then again with the mean of the slopes at both ends.
// Second order, two evaluations a step; the last step, which ends at no noise, is Euler's.
#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

Heun::Heun(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : Sampler(std::move(levels), options), start_(elements), slope_(elements) {
  for (int i = 0; i < steps(); ++i) {
    visited_.push_back(grid(i));
    if (i + 1 < steps()) visited_.push_back(grid(i + 1));
  }
}

void Heun::step(int i, std::span<const float> output, std::span<float> latent) {
  const double h = grid(i / 2 + 1).sigma - grid(i / 2).sigma;
  if (i % 2 == 0) {
    for (std::size_t k = 0; k < latent.size(); ++k) {
      start_[k] = latent[k];
      slope_[k] = output[k];
      latent[k] = static_cast<float>(latent[k] + h * output[k]);
    }
  } else {
    for (std::size_t k = 0; k < latent.size(); ++k) {
      latent[k] = static_cast<float>(start_[k] + h * 0.5 * (double{slope_[k]} + output[k]));
    }
  }
}

}  // namespace thimble::diffusion
