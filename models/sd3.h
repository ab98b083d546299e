// Stable Diffusion 3 Medium and 3.5 Medium (Esser et al. 2024, MM-DiT): image patches and text tokens attend to each
// other in joint attention, each with weights of its own; 3.5 adds an attention of the image alone to its first blocks.
// Class and parameter names of diffusers' SD3Transformer2DModel; its position table is worked out, not read.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct Sd3Config {
  int in_channels = 16, out_channels = 16;
  int heads = 24, head_dim = 64;
  int layers = 24;
  int text_channels = 4096, pooled_channels = 2048;
  int sample_size = 128, patch_size = 2;  // latent cells of the side that positions are measured by
  int position_side = 192;                // patches per side of the position table, whose middle is used
  std::vector<int> dual_layers;           // blocks with the extra image attention
  bool qk_norm = false;                   // RMS norm per head
  bool operator==(const Sd3Config&) const = default;
  int width() const { return heads * head_dim; }
};

// Inputs "hidden_states" (B, height, width, in_channels), "timestep" (B) in [0, 1000], "encoder_hidden_states"
// (B, tokens, text_channels), "pooled_projections" (B, pooled_channels). Output "sample" (B, height, width,
// out_channels). Taps "transformer_blocks.<i>" (image) and, but for the last, "transformer_blocks.<i>.text".
// Sides are multiples of patch_size, at most position_side patches.
graph::Graph build_sd3(const Sd3Config& config, const BuildSize& size);

Json to_json(const Sd3Config& config);
Sd3Config sd3_from_json(const Json& json);

}  // namespace thimble::models
