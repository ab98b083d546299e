// FLUX.1 (schnell and dev): double blocks, in which image and text keep weights of their own, then single blocks over
// both, with rotary positions. Class and parameter names of diffusers' FluxTransformer2DModel.
// The image comes as tokens of 2x2 latent cells; pack_latent() makes them.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/classes.h"

namespace thimble::models {

struct FluxConfig {
  int in_channels = 64, out_channels = 64;  // of a token: 4 times those of a latent cell
  int double_layers = 19, single_layers = 38;
  int heads = 24, head_dim = 128;
  int text_channels = 4096, pooled_channels = 768;
  bool guidance_embeds = false;       // dev: reads "guidance"
  std::vector<int> axes{16, 56, 56};  // channels of a head for each rotary axis
  bool operator==(const FluxConfig&) const = default;
  int width() const { return heads * head_dim; }
};

// T = height/2 * width/2, both even and in latent cells. Inputs "hidden_states" (B, T, in_channels),
// "encoder_hidden_states" (B, tokens, text_channels), "pooled_projections" (B, pooled_channels), "timestep" (B) in
// [0, 1], and with guidance_embeds "guidance" (B). Output "sample" (B, T, out_channels). Taps
// "transformer_blocks.<i>" (image), "transformer_blocks.<i>.text", "single_transformer_blocks.<i>" (text, then image).
graph::Graph build_flux(const FluxConfig& config, const BuildSize& size);

// f32 (B, H, W, C) -> (B, H/2 * W/2, 4C), channel c*4 + row*2 + column of the cell; and back.
graph::Tensor pack_latent(const graph::Tensor& latent);
graph::Tensor unpack_latent(const graph::Tensor& tokens, std::int64_t height, std::int64_t width);

Json to_json(const FluxConfig& config);
FluxConfig flux_from_json(const Json& json);

}  // namespace thimble::models
