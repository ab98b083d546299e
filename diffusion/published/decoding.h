// From latents to pictures: whole, or in overlapping tiles where memory is short, and quick views on the way.
// Tiles are blended where they overlap. Autoencoders that look at the whole picture (attention in the middle, group
// norms) give slightly other tones in tiles than in one piece.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "diffusion/published/published_settings.h"
#include "diffusion/published/text_encoding.h"

namespace thimble::diffusion {

// Latents (h, w, c) as the denoiser has them.
std::vector<media::Image> decode_latents(StageContext& stage, const PublishedSettings& settings,
                                         std::span<const std::vector<float>> latents);

constexpr int kLeastTile = 8;  // cells a side

// The largest tile that decodes below a limit, as the pipeline's planner says: the whole where that fits. {}: not even
// the smallest does.
TileSize fit_tile(const PublishedModel& model, const PublishedPipelineOptions& options,
                  const PublishedSettings& settings, std::size_t limit);

// Places along one side of `length` cells where tiles of `tile` cells begin: at least `overlap` cells in common, the
// last one ends with the side. 1 <= overlap < tile <= length, or {0} when the tile covers all.
std::vector<int> tile_starts(int length, int tile, int overlap);

// How much a tile's pixel p of `length` counts: 1, but rising from the sides that have a neighbour over `ramp` pixels.
float tile_weight(int p, int length, int ramp, bool neighbour_before, bool neighbour_behind);

class Previewer {
 public:
  // With the model's preview autoencoder, else with a linear map from a latent cell to its mean colour, fitted to what
  // the model's own decoder makes of random latents.
  Previewer(StageContext& stage, const PublishedSettings& settings);
  ~Previewer();
  // `clean` (h, w, c). The picture has the autoencoder's size, or a pixel for each cell.
  media::Image operator()(std::span<const float> clean);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thimble::diffusion
