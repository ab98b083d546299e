// What one call of a published pipeline will do: the caller's options with the model's facts filled in, all checked
// before anything is compiled.
#pragma once

#include <span>
#include <vector>

#include "diffusion/published/published_pipeline.h"

namespace thimble::diffusion {

struct LatentSize {
  int height = 0, width = 0, channels = 0;  // cells
  std::size_t cells() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  std::size_t elements() const { return cells() * static_cast<std::size_t>(channels); }
};

struct TileSize {
  int height = 0, width = 0;  // cells
  bool operator==(const TileSize&) const = default;
};

struct PublishedSettings {
  int width = 0, height = 0;  // pixels
  LatentSize latent;
  int batch = 1;
  int steps = 0;
  std::vector<NoiseLevel> levels;  // those that are visited: with a strength below 1 the first ones are left out
  PublishedScheduler scheduler;    // options without seed and noise
  double guidance = 1, image_guidance = 1;
  int passes = 1;             // rows of the denoiser for one picture
  bool passes_apart = false;  // one run for each pass, to save memory
  bool negative = false;      // a pass reads the negative prompt
  NoiseGenerator generator = NoiseGenerator::thimble;
  bool from_picture = false;   // the start is the picture with noise, not noise alone
  bool blend = false;          // what the mask leaves is put back after every step
  TileSize tile;               // that the decoder takes at once; 0: found by trying
  bool draws_picture = false;  // the picture's latents are wanted, be it for the start or for blending
};

PublishedSettings settle(const PublishedModel& model, std::span<const PublishedRequest> requests,
                         const PublishedOptions& options);

}  // namespace thimble::diffusion
