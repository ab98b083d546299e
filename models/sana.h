// Sana (Xie et al. 2024), Sana-1.5 and Sana-Sprint: a diffusion transformer over deeply compressed latents with linear
// self-attention (ReLU features), text cross-attention and convolutional gated feed-forward parts (GLUMBConv).
// Class and parameter names of diffusers' SanaTransformer2DModel.
// Sums of the linear attention are accumulated in f32; with bf16 activations their results are stored as bf16.
#pragma once

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct SanaConfig {
  int in_channels = 32, out_channels = 32;
  int heads = 70, head_dim = 32;
  int layers = 20;
  int cross_heads = 20, cross_head_dim = 112;
  int caption_channels = 2304;
  double mlp_ratio = 2.5;
  bool attention_bias = false;  // of the self-attention's queries, keys and values
  int sample_size = 32, patch_size = 1;
  bool norm_affine = false;  // of the norm before the feed-forward part
  double norm_eps = 1e-6;
  double interpolation_scale = 0;  // 0: no positions; else as PixArtConfig's
  bool qk_norm = false;            // RMS norm over all heads together, eps 1e-5, in both attentions
  bool guidance_embeds = false;    // reads "guidance"
  double guidance_scale = 0.1;     // what a pipeline multiplies the guidance by before it comes in
  double timestep_scale = 1;       // and the timestep
  bool operator==(const SanaConfig&) const = default;
  int width() const { return heads * head_dim; }
};

// Inputs "hidden_states" (B, height, width, in_channels), "timestep" (B), "encoder_hidden_states" (B, tokens,
// caption_channels), "encoder_attention_mask" (B, 1, 1, tokens) added to the scores of the cross-attention, and with
// guidance_embeds "guidance" (B). Output "sample" (B, height, width, out_channels). Taps "transformer_blocks.<i>".
graph::Graph build_sana(const SanaConfig& config, const BuildSize& size);

Json to_json(const SanaConfig& config);
SanaConfig sana_from_json(const Json& json);

}  // namespace thimble::models
