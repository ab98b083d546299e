// Multistep sampling of latent consistency models (Luo et al. 2023, algorithm 3): every call gives a clean picture,
// blended with the latent by the boundary scalings of the distillation, and noise takes it to the next level.
#include <cmath>

#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

Lcm::Lcm(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : Sampler(std::move(levels), options), fresh_(elements) {
  visited_.assign(levels_.begin(), levels_.end() - 1);
}

void Lcm::step(int i, std::span<const float> output, std::span<float> latent) {
  constexpr double kSpread = 0.5;  // of the data, as the distillation takes it
  const NoiseLevel &now = grid(i), &next = grid(i + 1);
  const double t = now.time * options_.lcm_timestep_scaling, sum = t * t + kSpread * kSpread;
  const double kept = kSpread * kSpread / sum, taken = t / std::sqrt(sum);
  const bool last = i + 1 == steps();
  if (!last) draw(i, fresh_);
  for (std::size_t k = 0; k < latent.size(); ++k) {
    const double clean = estimate(options_.prediction, now, latent[k], output[k]).clean;
    const double blended = taken * clean + kept * latent[k];
    latent[k] = static_cast<float>(last ? blended : next.alpha * blended + next.sigma * fresh_[k]);
  }
}

}  // namespace thimble::diffusion
