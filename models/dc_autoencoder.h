// Deep-compression autoencoder (Chen et al. 2024), diffusers' AutoencoderDC, as Sana has it (f32c32): pictures
// (B, H, W, 3) in [-1, 1] to latents at 1/32 of the size and back. Residual blocks on the fine levels, multi-scale
// linear attention (Cai et al. 2023) on the coarse ones, shortcuts by space-to-depth around every change of size. Not
// here: the scale of the latents ("scaling_factor"); variants with batch norm.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct DcAutoencoderConfig {
  enum class Activation : std::uint8_t { silu, relu };
  struct Level {
    int channels = 128;
    int layers = 2;                            // 0: the level is skipped by the first convolution
    bool attention = false;                    // EfficientViT blocks; residual ones otherwise
    std::vector<int> scales{};                 // kernel sizes beside 1 of the queries, keys and values
    Activation activation = Activation::silu;  // of residual blocks
    bool operator==(const Level&) const = default;
  };

  int image_channels = 3;
  int latent_channels = 32;
  int head_width = 32;
  std::vector<Level> encoder, decoder;  // from the finest
  bool unshuffle_down = false;          // downsample by space-to-depth after the convolution, not by its stride
  bool interpolate_up = true;           // upsample by nearest before the convolution, not by depth-to-space
  bool encoder_shortcut = true, decoder_shortcut = true;  // around the convolution at the latent's side
  Activation last_activation = Activation::relu;          // before the decoder's last convolution

  // Picture pixels per latent cell and side.
  int compression() const { return 1 << (encoder.size() - 1); }
  bool operator==(const DcAutoencoderConfig&) const = default;
};

// "image" (B, height, width, image_channels), sides multiples of compression(), -> "latent".
// Taps "encoder.down_blocks.<i>" of the levels that are not empty.
graph::Graph build_dc_encoder(const DcAutoencoderConfig& config, const BuildSize& size);
// "latent" (B, height, width, latent_channels) -> "image", to be clamped to [-1, 1].
// Taps "decoder.up_blocks.<i>" of the levels that are not empty.
graph::Graph build_dc_decoder(const DcAutoencoderConfig& config, const BuildSize& size);

// From diffusers' config.json; bad_file for a broken one, unsupported for a setting that none of the above uses.
DcAutoencoderConfig dc_autoencoder_from_json(const Json& json);

}  // namespace thimble::models
