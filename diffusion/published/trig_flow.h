// The sampler of continuous-time consistency models (Lu and Song 2024) that Sana-Sprint uses, diffusers' SCMScheduler.
// Its latents lie on a quarter circle, cos(t) clean + sin(t) noise; divided by cos(t) + sin(t) they lie on the straight
// path of a rectified flow at s = sin(t) / (cos(t) + sin(t)), and its network is one of such a flow. So here all is
// said in terms of s: a step goes to the clean picture and, but for the last, back to the next level with fresh noise.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "diffusion/samplers/published.h"

namespace thimble::diffusion {

inline constexpr std::string_view kTrigFlow = "scm";

// unsupported for settings that no supported model uses.
PublishedScheduler trig_flow_from_json(const Json& config);

// As Schedule::levels() and make_sampler(), for this sampler and all others.
std::vector<NoiseLevel> published_levels(const PublishedScheduler& scheduler, int steps);
std::unique_ptr<Sampler> make_published_sampler(const PublishedScheduler& scheduler, std::vector<NoiseLevel> levels,
                                                const SamplerOptions& options, std::size_t elements);

}  // namespace thimble::diffusion
