// The denoising UNet of Stable Diffusion (Rombach et al. 2022) and its kin, diffusers' UNet2DConditionModel: 1.5,
// inpainting (9 channels in), InstructPix2Pix (8), XL (pooled text and picture sizes as further conditions; Podell et
// al. 2023) and LCM (the guidance weight as a condition; Luo et al. 2023).
// Not here: the scheduler, what is concatenated to the noisy latent, and the embedding of the guidance weight.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct UnetConfig {
  enum class Mid : std::uint8_t { none, resnet, attention };

  int in_channels = 4, out_channels = 4;
  std::vector<int> channels{320, 640, 1280, 1280};  // per level, from the finest
  std::vector<int> layers{2, 2, 2, 2};              // residual blocks per level going down; one more going up
  std::vector<bool> down_attention{true, true, true, false};
  std::vector<bool> up_attention{false, true, true, true};  // from the coarsest level
  std::vector<int> transformer_layers{1, 1, 1, 1};          // blocks in each attention, per level from the finest
  std::vector<int> heads{8, 8, 8, 8};                       // per level from the finest
  Mid mid = Mid::attention;
  int text_width = 768;
  int norm_groups = 32;
  double norm_eps = 1e-5;
  int pooled_width = 0;    // of "text_embeds"; 0: neither it nor "time_ids" is an input
  int size_width = 0;      // of the embedding of each of the six "time_ids"
  int guidance_width = 0;  // of "timestep_cond"; 0: not an input
  bool operator==(const UnetConfig&) const = default;
};

inline constexpr int kSizeIds = 6;  // height and width of the original, top and left of the crop, height and width

// Inputs "sample" (B, H, W, in_channels), "timestep" (B) in training steps, "encoder_hidden_states" (B, T, text_width);
// with pooled_width "text_embeds" (B, pooled_width) and "time_ids" (B, 6) in pixels; with guidance_width
// "timestep_cond" (B, guidance_width). Output "sample" (B, H, W, out_channels). Any H and W. Taps "time_embedding",
// "add_embedding", "down_blocks.<i>", "mid_block", "up_blocks.<i>".
graph::Graph build_unet(const UnetConfig& config, const BuildSize& size);

// From diffusers' config.json; bad_file for a broken one, unsupported for a setting that none of the above uses.
UnetConfig unet_from_json(const Json& json);

}  // namespace thimble::models
