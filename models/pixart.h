// PixArt-Sigma (Chen et al. 2024): a diffusion transformer over latent patches with text cross-attention and one shared
// projection of the time for all blocks (adaLN-single). Predicts noise, and in the second half of its channels a
// variance that samplers leave out. Class and parameter names of diffusers' PixArtTransformer2DModel.
// KV compression (the paper's section 3.3) is in no diffusers class: its tensors have the names of the original code.
#pragma once

#include "base/json.h"
#include "graph/builder.h"
#include "models/classes.h"

namespace thimble::models {

struct PixArtConfig {
  int heads = 16, head_dim = 72;
  int in_channels = 4, out_channels = 8;
  int layers = 28;
  int cross_attention_dim = 1152;  // of the text as the blocks see it
  int caption_channels = 4096;     // of the text that comes in; 0: no projection, cross_attention_dim comes in
  bool attention_bias = true;
  int sample_size = 128, patch_size = 2;  // latent cells of the native side
  double norm_eps = 1e-6;
  double interpolation_scale = 2;  // positions of the native side span sample_size / patch_size / this
  bool size_conditions = false;    // reads "resolution" and "aspect_ratio"
  int kv_compression = 1;          // keys and values of this many tokens a side become one; 1: off
  int kv_compression_from = 14;    // in this block and all after it
  bool operator==(const PixArtConfig&) const = default;
  int width() const { return heads * head_dim; }
};

// Inputs "hidden_states" (B, height, width, in_channels), "timestep" (B) in [0, 1000), "encoder_hidden_states"
// (B, tokens, text channels), "encoder_attention_mask" (B, 1, 1, tokens) added to the scores of the cross-attention;
// with size_conditions "resolution" (B, 2), height and width in pixels, and "aspect_ratio" (B, 1), height over width.
// Output "sample" (B, height, width, out_channels). Taps "transformer_blocks.<i>". Sides are multiples of patch_size.
graph::Graph build_pixart(const PixArtConfig& config, const BuildSize& size);

// Keys or values x (B, rows*columns, C) -> (B, (rows/factor)*(columns/factor), C): "sr", a depthwise convolution with
// stride `factor`, then "norm", a layer norm.
graph::Var compress_tokens(graph::Var x, std::int64_t rows, std::int64_t columns, int factor);

Json to_json(const PixArtConfig& config);
PixArtConfig pixart_from_json(const Json& json);

}  // namespace thimble::models
