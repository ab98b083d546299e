// The samplers' classes, for the table in sampler.cpp; others use make_sampler().
#pragma once

#include "diffusion/samplers/sampler.h"

namespace thimble::diffusion {

class Euler final : public Sampler {
 public:
  Euler(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements);
  void step(int i, std::span<const float> output, std::span<float> latent) override;
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
