// The samplers' classes, for the table in sampler.cpp; others use make_sampler().
#pragma once

#include <array>

#include "diffusion/samplers/sampler.h"

namespace thimble::diffusion {

class Euler final : public Sampler {
 public:
  Euler(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;
};

// The discrete schedules' Euler; `grid` stays as given, `visited_` is in the latent's own terms.
class EulerDiscrete : public Sampler {
 public:
  EulerDiscrete(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  double initial_scale() const override;
  double input_scale(int i) const override { return grid(i).alpha; }
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 protected:
  double ratio(int i) const { return grid(i).sigma / grid(i).alpha; }
  // The direction dx / d ratio at a latent's element.
  double slope(int i, double x, double output) const {
    return (x - estimate(options_.prediction, grid(i), x * grid(i).alpha, output).clean) / ratio(i);
  }
};

class EulerAncestral final : public EulerDiscrete {
 public:
  EulerAncestral(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<float> fresh_;
};

class Pndm final : public Sampler {
 public:
  Pndm(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<float> start_;                  // the latent before the first step
  std::array<std::vector<float>, 4> former_;  // outputs, the newest first
};

class Lcm final : public Sampler {
 public:
  Lcm(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<float> fresh_;
};

class Heun final : public Sampler {
 public:
  Heun(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<float> start_, slope_;  // of the step under way
};

class Ddim final : public Sampler {
 public:
  Ddim(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<float> fresh_;
};

class Dpmpp2m final : public Sampler {
 public:
  Dpmpp2m(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;

 private:
  std::vector<double> former_;  // the clean picture as the former call saw it
};

}  // namespace thimble::diffusion
