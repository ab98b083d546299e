// Euler's method along the path of a rectified flow: x moves by (sigma' - sigma) * velocity. First order.
#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

Euler::Euler(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t)
    : Sampler(std::move(levels), options) {
  visited_.assign(levels_.begin(), levels_.end() - 1);
}

void Euler::step(int i, std::span<const float> output, std::span<float> latent) {
  const double h = grid(i + 1).sigma - grid(i).sigma;
  for (std::size_t k = 0; k < latent.size(); ++k) latent[k] = static_cast<float>(latent[k] + h * output[k]);
}

}  // namespace thimble::diffusion
