// DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): the clean picture is extrapolated linearly in lambda = log(alpha /
// sigma) from the present and the former estimate. Second order with one evaluation a step; the first step has no
// former estimate and the last one goes to infinite lambda, so both are of first order.
#include <cmath>

#include "diffusion/samplers/all.h"

namespace thimble::diffusion {
namespace {

double lambda(const NoiseLevel& level) { return std::log(level.alpha) - std::log(level.sigma); }

}  // namespace

Dpmpp2m::Dpmpp2m(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : Sampler(std::move(levels), options), former_(elements) {
  visited_.assign(levels_.begin(), levels_.end() - 1);
}

void Dpmpp2m::step(int i, std::span<const float> output, std::span<float> latent) {
  const NoiseLevel &now = grid(i), &next = grid(i + 1);
  // alpha' (1 - exp(-h)), written so that it stays finite where alpha or sigma is zero.
  const double stay = next.sigma / now.sigma, gain = next.alpha - now.alpha * stay;
  double slope = 0;  // h / (2 h_former)
  if (i > 0 && i + 1 < steps()) {
    const double h = lambda(next) - lambda(now), h_former = lambda(now) - lambda(grid(i - 1));
    slope = std::isfinite(h_former) ? 0.5 * h / h_former : 0;
  }
  for (std::size_t k = 0; k < latent.size(); ++k) {
    const double clean = estimate(options_.prediction, now, latent[k], output[k]).clean;
    latent[k] = static_cast<float>(stay * latent[k] + gain * (clean + slope * (clean - former_[k])));
    former_[k] = clean;
  }
}

}  // namespace thimble::diffusion
