// What a picture's sampling starts from: noise in a settled order, the given picture's latents, the mask. Not here: the
// steps (denoising.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "diffusion/published/published_settings.h"
#include "diffusion/published/text_encoding.h"

namespace thimble::diffusion {

// Standard normals for one picture, (h, w, channels).
class PictureNoise {
 public:
  PictureNoise(NoiseGenerator generator, std::uint64_t seed, const LatentSize& size);
  ~PictureNoise();
  PictureNoise(PictureNoise&&) noexcept;

  enum class Use : std::uint8_t { start, picture, masked_picture };
  // With the torch generator calls follow diffusers' order; `use` picks the stream of Thimble's own, which has none.
  std::vector<float> draw(Use use);
  // For samplers that add noise: torch's numbers in turn; empty for Thimble's own, which samplers draw from the seed.
  NoiseSource for_sampler();

 private:
  struct Torch;
  std::shared_ptr<Torch> torch_;
  std::uint64_t seed_;
  std::size_t elements_;
};

// One picture, ready for the sampler.
struct PictureStart {
  std::uint64_t seed = 0;
  NoiseSource sampler_noise;
  std::vector<float> noise;      // (h, w, c)
  std::vector<float> picture;    // (h, w, c) the denoiser's latents; with from_picture and blend
  std::vector<float> mask;       // (h, w) 1 where it is painted anew; with a mask
  std::vector<float> condition;  // (h, w, n) further channels that the denoiser reads
  int condition_channels = 0;
};

// Encodes the pictures of all requests and draws their noise.
std::vector<PictureStart> prepare_starts(StageContext& stage, std::span<const PublishedRequest> requests,
                                         const PublishedSettings& settings);

}  // namespace thimble::diffusion
