// Euler's method on a discrete schedule, in the terms of Karras et al. 2022: the latent is clean + r noise with r =
// sigma / alpha, and moves by (r' - r) times its slope. Plain, and ancestral as in k-diffusion: to a lower r, then up
// again with fresh noise.
#include <cmath>

#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

EulerDiscrete::EulerDiscrete(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t)
    : Sampler(std::move(levels), options) {
  for (int i = 0; i < steps(); ++i) visited_.push_back({grid(i).time, 1, ratio(i)});
}

double EulerDiscrete::initial_scale() const {
  return options_.noise_alone ? ratio(0) : std::sqrt(ratio(0) * ratio(0) + 1);
}

void EulerDiscrete::step(int i, std::span<const float> output, std::span<float> latent) {
  const double h = ratio(i + 1) - ratio(i);
  for (std::size_t k = 0; k < latent.size(); ++k) {
    latent[k] = static_cast<float>(latent[k] + h * slope(i, latent[k], output[k]));
  }
}

EulerAncestral::EulerAncestral(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : EulerDiscrete(std::move(levels), options, elements), fresh_(elements) {}

void EulerAncestral::step(int i, std::span<const float> output, std::span<float> latent) {
  const double now = ratio(i), next = ratio(i + 1), kept = next / now;
  const double up = next * std::sqrt(1 - kept * kept), down = next * kept;
  draw(i, fresh_);
  for (std::size_t k = 0; k < latent.size(); ++k) {
    const double moved = latent[k] + (down - now) * slope(i, latent[k], output[k]);
    latent[k] = static_cast<float>(moved + up * fresh_[k]);
  }
}

}  // namespace thimble::diffusion
