// Samplers: from noise to picture, step by step, on plain floats. A sampler is told the noise levels it visits and what
// the network's output means; it never sees the network.
//
//   auto sampler = make_sampler("heun", schedule.levels(20), {.prediction = Prediction::flow}, latent.size());
//   latent = sampler->initial_scale() * noise;
//   for (int i = 0; i < sampler->calls(); ++i)
//     sampler->step(i, network(sampler->input_scale(i) * latent, sampler->level(i).time), latent);
//
// The latent of euler and euler_ancestral on a discrete schedule is clean + (sigma / alpha) noise, as diffusers has it;
// of all others alpha clean + sigma noise. level(i) tells alpha and sigma of the latent that step() moves.
//
// One file per sampler; the table is in sampler.cpp. After construction nothing allocates.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/schedule.h"

namespace thimble::diffusion {

// Fills its argument, of the latent's size, with standard normals.
using NoiseSource = std::function<void(std::span<float>)>;

struct SamplerOptions {
  Prediction prediction = Prediction::flow;
  double eta = 0;          // ddim only: 0 deterministic, 1 as noisy as DDPM
  std::uint64_t seed = 0;  // of the noise that ddim with eta > 0, euler_ancestral and lcm add
  // Replaces that noise: asked once a step, in order, by ddim and euler_ancestral at every step, by lcm at all but the
  // last.
  NoiseSource noise = {};
  // euler and euler_ancestral on a discrete schedule: the start is noise at the first level's ratio alone, as diffusers
  // has it for linspace and trailing spacings; else it has the spread that noise and picture have together.
  bool noise_alone = false;
  double lcm_timestep_scaling = 10;
};

class Sampler {
 public:
  virtual ~Sampler() = default;

  // Evaluations of the network, at least the number of steps.
  int calls() const { return static_cast<int>(visited_.size()); }
  // The noise level of the latent before call i, 0 <= i < calls().
  const NoiseLevel& level(int i) const { return visited_[static_cast<std::size_t>(i)]; }
  // What unit noise is multiplied by to start from, and the latent before the network sees it at call i.
  virtual double initial_scale() const { return 1; }
  virtual double input_scale(int) const { return 1; }
  // Moves `latent` from level(i) on, given the network's output there. Calls come in order: 0, 1, ...
  virtual void step(int i, std::span<const float> output, std::span<float> latent) = 0;

 protected:
  Sampler(std::vector<NoiseLevel> levels, const SamplerOptions& options);
  const NoiseLevel& grid(int i) const { return levels_[static_cast<std::size_t>(i)]; }
  int steps() const { return static_cast<int>(levels_.size()) - 1; }
  // Fresh noise of step i.
  void draw(int i, std::span<float> out) const;

  std::vector<NoiseLevel> levels_, visited_;
  SamplerOptions options_;
};

// bad_input naming the samplers there are when `name` is none, or does not fit the prediction; `elements` is the
// latent's size.
std::unique_ptr<Sampler> make_sampler(std::string_view name, std::vector<NoiseLevel> levels,
                                      const SamplerOptions& options, std::size_t elements);

struct SamplerInfo {
  std::string_view name, summary;
  bool flow, discrete;  // which predictions it serves: flow; epsilon and v
};
std::span<const SamplerInfo> samplers();

// Clean picture and noise that an output stands for, per element: the one place where predictions are converted.
// With alpha = 0 an epsilon output says nothing about the clean picture: clean is 0 there.
struct Estimate {
  double clean, noise;
};
inline Estimate estimate(Prediction prediction, const NoiseLevel& at, double x, double output) {
  switch (prediction) {
    case Prediction::epsilon: return {at.alpha > 0 ? (x - at.sigma * output) / at.alpha : 0, output};
    case Prediction::v: return {at.alpha * x - at.sigma * output, at.sigma * x + at.alpha * output};
    case Prediction::flow: break;
  }
  return {x - at.sigma * output, x + at.alpha * output};  // alpha + sigma = 1 on the straight path
}

}  // namespace thimble::diffusion
