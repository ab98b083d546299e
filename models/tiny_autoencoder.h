// TAESD (Boer Bohan 2023), diffusers' AutoencoderTiny: a small stand-in for the autoencoders of Stable Diffusion 1.5
// and XL (4 latent channels), SD3 and FLUX.1 (16), for previews and little memory; and the one for FLUX.2 (32), which
// has no diffusers class and normalises over the whole picture in its coarsest stages. Pictures are in [-1, 1] here as
// in diffusers, latents as the denoiser has them (scale 1).
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct TinyAutoencoderConfig {
  int in_channels = 3, out_channels = 3;
  int channels = 64;
  int latent_channels = 4;
  std::vector<int> encoder_blocks{1, 3, 3, 3};  // per stage, from the finest
  std::vector<int> decoder_blocks{3, 3, 3, 1};  // from the coarsest
  bool pooled_middle = false;                   // "use_midblock_gn": FLUX.2's

  // Picture pixels per latent cell and side.
  int compression() const { return 1 << (encoder_blocks.size() - 1); }
  bool operator==(const TinyAutoencoderConfig&) const = default;
};

// "image" (B, height, width, in_channels), sides multiples of compression(), -> "latent".
// Taps "encoder.layers.<i>" after each stage, with the number of its last layer.
graph::Graph build_tiny_encoder(const TinyAutoencoderConfig& config, const BuildSize& size);
// "latent" (B, height, width, latent_channels) -> "image", to be clamped to [-1, 1].
// Taps "decoder.layers.<i>" after each stage's convolution but the last.
graph::Graph build_tiny_decoder(const TinyAutoencoderConfig& config, const BuildSize& size);

// From diffusers' config.json, and for FLUX.2 the further key "use_midblock_gn".
TinyAutoencoderConfig tiny_autoencoder_from_json(const Json& json);

}  // namespace thimble::models
