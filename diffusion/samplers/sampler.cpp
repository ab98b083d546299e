// The table of samplers, and what they share.
#include "diffusion/samplers/sampler.h"

#include <array>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/samplers/all.h"

namespace thimble::diffusion {
namespace {

using Make = std::unique_ptr<Sampler> (*)(std::vector<NoiseLevel>, const SamplerOptions&, std::size_t);

template <class S>
std::unique_ptr<Sampler> make(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements) {
  return std::make_unique<S>(std::move(levels), options, elements);
}

std::unique_ptr<Sampler> make_euler(std::vector<NoiseLevel> levels, const SamplerOptions& options,
                                    std::size_t elements) {
  return options.prediction == Prediction::flow ? make<Euler>(std::move(levels), options, elements)
                                                : make<EulerDiscrete>(std::move(levels), options, elements);
}

// New samplers: one row in each, in the same order.
constexpr std::array kSamplers{
    SamplerInfo{"euler", "Euler, first order", true, true},
    SamplerInfo{"heun", "Heun, second order, two evaluations a step", true, false},
    SamplerInfo{"ddim", "DDIM, first order, noisy with eta", false, true},
    SamplerInfo{"dpmpp", "DPM-Solver++(2M), second order, one evaluation a step", true, true},
    SamplerInfo{"pndm", "PNDM without Runge-Kutta start, fourth order, one evaluation a step", false, true},
    SamplerInfo{"euler_ancestral", "Euler with fresh noise at every step", false, true},
    SamplerInfo{"lcm", "for latent consistency models, a handful of steps", false, true},
};
constexpr std::array<Make, kSamplers.size()> kMake{make_euler, make<Heun>,           make<Ddim>, make<Dpmpp2m>,
                                                   make<Pndm>, make<EulerAncestral>, make<Lcm>};

}  // namespace

Sampler::Sampler(std::vector<NoiseLevel> levels, const SamplerOptions& options)
    : levels_(std::move(levels)), options_(options) {
  check(levels_.size() >= 2, "a sampler needs two noise levels or more");
}

void Sampler::draw(int i, std::span<float> out) const {
  // Stream 0 is the starting noise.
  options_.noise ? options_.noise(out) : fill_normal(out, options_.seed, static_cast<std::uint64_t>(i) + 1);
}

std::span<const SamplerInfo> samplers() { return kSamplers; }

std::unique_ptr<Sampler> make_sampler(std::string_view name, std::vector<NoiseLevel> levels,
                                      const SamplerOptions& options, std::size_t elements) {
  const bool flow = options.prediction == Prediction::flow;
  std::string fitting;
  for (std::size_t i = 0; i < kSamplers.size(); ++i) {
    const SamplerInfo& row = kSamplers[i];
    if (!(flow ? row.flow : row.discrete)) continue;
    if (row.name == name) return kMake[i](std::move(levels), options, elements);
    fitting += fitting.empty() ? "" : ", ";
    fitting += row.name;
  }
  fail(ErrorKind::bad_input, "sampler '{}' does not serve a model that predicts {}; {} do", name,
       to_string(options.prediction), fitting);
}

}  // namespace thimble::diffusion
