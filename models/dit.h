// Diffusion transformer with text cross-attention: PixArt-style blocks (Chen et al. 2023) whose modulation comes from
// one shared projection of the time and pooled text, plus a learned table per block (adaLN-single). Predicts the
// velocity of a rectified flow. One token per latent cell (patch 1) or patch x patch cells.
#pragma once

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

struct DitConfig {
  int latent_channels = 32;
  int grid = 8;  // latent cells per side the positions are learned for
  int patch = 1;
  int width = 256;
  int depth = 8;
  int heads = 4;
  int ffn_ratio = 3;
  int text_width = 256;
  bool operator==(const DitConfig&) const = default;
};

// Inputs "latent" (B, grid, grid, latent_channels), "time" (B) in [0, 1], "text" (B, L, text_width),
// "pooled" (B, text_width), "mask" (B, 1, 1, L) f32 added to the cross-attention scores.
// Output "velocity", shaped like the latent. Taps "block.<i>".
graph::Graph build_dit(const DitConfig& config, int batch, int text_length);

Json to_json(const DitConfig& config);
DitConfig dit_from_json(const Json& json);

}  // namespace thimble::models
