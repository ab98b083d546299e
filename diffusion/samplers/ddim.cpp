// DDIM (Song et al. 2021, equations 12 and 16): the estimate of the clean picture is mixed anew with the estimated
// noise, of which eta replaces a part by fresh noise.
#include <algorithm>
#include <cmath>

#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

Ddim::Ddim(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : Sampler(std::move(levels), options), fresh_(options.eta > 0 ? elements : 0) {
  visited_.assign(levels_.begin(), levels_.end() - 1);
}

void Ddim::step(int i, std::span<const float> output, std::span<float> latent) {
  const NoiseLevel &now = grid(i), &next = grid(i + 1);
  const double ratio = now.alpha / next.alpha;
  const double spread = options_.eta * next.sigma / now.sigma * std::sqrt(std::max(0.0, 1 - ratio * ratio));
  const double kept = std::sqrt(std::max(0.0, next.sigma * next.sigma - spread * spread));
  if (options_.eta > 0) draw(i, fresh_);
  for (std::size_t k = 0; k < latent.size(); ++k) {
    const Estimate e = estimate(options_.prediction, now, latent[k], output[k]);
    const double added = spread > 0 ? spread * fresh_[k] : 0.0;
    latent[k] = static_cast<float>(next.alpha * e.clean + kept * e.noise + added);
  }
}

}  // namespace thimble::diffusion
