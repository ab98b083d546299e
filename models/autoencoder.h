// Deep-compression autoencoder of Thimble Emoji: RGBA pictures (B, H, W, 4), premultiplied, in [-1, 1],
// to a latent grid (B, H/32, W/32, latent_channels) and back. In the manner of DC-AE (Chen et al. 2024): space-to-depth
// at the borders, residual convolutions between; without norms, so that pictures of any size and batch give the same
// function. Not a variational one: a small noise on the latents while training takes that place (train/autoencoder.h).
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

struct AutoencoderConfig {
  int image_channels = 4;
  int patch = 4;                                 // space-to-depth at the picture's side
  std::vector<int> channels{64, 128, 192, 192};  // at 1/patch, 1/(2 patch), ...
  std::vector<int> encoder_blocks{0, 1, 1, 1};   // residual blocks per level
  std::vector<int> decoder_blocks{2, 2, 1, 1};
  int latent_channels = 32;

  // Picture pixels per latent cell and side.
  int compression() const { return patch << (channels.size() - 1); }
  bool operator==(const AutoencoderConfig&) const = default;
};

// "image" (B, size, size, image_channels) -> "latent". size is a multiple of compression().
graph::Graph build_encoder(const AutoencoderConfig& config, int batch, int size);
// "latent" -> "image", linear (clamp to [-1, 1] afterwards). Parameter names start with "encoder." and "decoder.".
graph::Graph build_decoder(const AutoencoderConfig& config, int batch, int size);

Json to_json(const AutoencoderConfig& config);
AutoencoderConfig autoencoder_from_json(const Json& json);  // bad_file when a value is missing or absurd

}  // namespace thimble::models
