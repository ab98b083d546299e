// The autoencoder of Stable Diffusion and its successors (Rombach et al. 2022), diffusers' AutoencoderKL: pictures
// (B, H, W, 3) in [-1, 1] to latents at an eighth of the size and back. SD and XL have 4 latent channels, SD3 and FLUX
// 16 and no 1x1 convolutions around the latent. Not here: scale and shift of the latents ("scaling_factor",
// "shift_factor" of the config), which are the pipeline's.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct KlAutoencoderConfig {
  int in_channels = 3, out_channels = 3;
  std::vector<int> channels{128, 256, 512, 512};  // per level, from the finest
  int layers = 2;                                 // residual blocks per level of the encoder; the decoder has one more
  int latent_channels = 4;
  int norm_groups = 32;
  bool mid_attention = true;
  bool quant_conv = true, post_quant_conv = true;

  // Picture pixels per latent cell and side.
  int compression() const { return 1 << (channels.size() - 1); }
  bool operator==(const KlAutoencoderConfig&) const = default;
};

// "image" (B, height, width, in_channels), sides multiples of compression(), -> "latent", the mean of the posterior,
// and "moments" (..., 2 latent_channels), mean and log variance (to be clamped to [-30, 20]). Taps
// "encoder.down_blocks.<i>", "encoder.mid_block".
graph::Graph build_kl_encoder(const KlAutoencoderConfig& config, const BuildSize& size);
// "latent" (B, height, width, latent_channels) -> "image", to be clamped to [-1, 1].
// Taps "decoder.mid_block", "decoder.up_blocks.<i>".
graph::Graph build_kl_decoder(const KlAutoencoderConfig& config, const BuildSize& size);

// From diffusers' config.json; bad_file for a broken one, unsupported for a setting that none of the above uses.
KlAutoencoderConfig kl_autoencoder_from_json(const Json& json);

}  // namespace thimble::models
