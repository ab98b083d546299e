// PNDM (Liu et al. 2022) as Stable Diffusion runs it: linear multistep on the network's outputs, up to fourth order.
// In place of the Runge-Kutta steps of the paper the first step is done twice: to its end, and again from its start
// with the mean of the outputs at both ends. n steps are n + 1 calls.
#include <algorithm>
#include <cmath>

#include "diffusion/samplers/all.h"

namespace thimble::diffusion {

Pndm::Pndm(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
    : Sampler(std::move(levels), options), start_(elements) {
  for (auto& f : former_) f.resize(elements);
  for (int i = 0; i < steps(); ++i) {
    visited_.push_back(grid(i));
    if (i == 1) visited_.push_back(grid(i));
  }
}

void Pndm::step(int i, std::span<const float> output, std::span<float> latent) {
  // Call 1 looks at the end of the first step and does that step anew; its output is not kept, call 2 has its place.
  const bool anew = i == 1;
  if (i == 0) std::ranges::copy(latent, start_.begin());
  if (anew) {
    std::ranges::copy(start_, latent.begin());
  } else {
    std::ranges::rotate(former_, former_.end() - 1);
    std::ranges::copy(output, former_[0].begin());
  }
  const int step = i < 2 ? 0 : i - 1;
  const NoiseLevel &now = grid(step), &next = grid(step + 1);

  // Weights of the outputs, newest first (Adams and Bashforth); in call 1 of this and the former.
  constexpr double kWeights[4][4] = {{1, 0, 0, 0},
                                     {3 / 2.0, -1 / 2.0, 0, 0},
                                     {23 / 12.0, -16 / 12.0, 5 / 12.0, 0},
                                     {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0}};
  const int order = std::min(i < 2 ? 1 : i, 4);
  const double* w = kWeights[order - 1];
  // Formula 9 of the paper on the noise e: x' = (alpha' / alpha) x - gain e.
  const double a2 = now.alpha * now.alpha, b2 = next.alpha * next.alpha, stretch = next.alpha / now.alpha;
  const double gain = (b2 - a2) / (a2 * next.sigma + now.alpha * now.sigma * next.alpha);
  for (std::size_t k = 0; k < latent.size(); ++k) {
    double mixed = 0;
    if (anew) {
      mixed = 0.5 * (double{output[k]} + former_[0][k]);
    } else {
      for (int n = 0; n < order; ++n) mixed += w[n] * former_[static_cast<std::size_t>(n)][k];
    }
    const double noise = estimate(options_.prediction, now, latent[k], mixed).noise;
    latent[k] = static_cast<float>(stretch * latent[k] - gain * noise);
  }
}

}  // namespace thimble::diffusion
