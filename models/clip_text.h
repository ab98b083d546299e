// CLIP's text encoder (Radford et al. 2021), as CLIPTextModel and CLIPTextModelWithProjection publish it: CLIP-L of
// Stable Diffusion and FLUX.1, OpenCLIP bigG of Stable Diffusion XL and 3. Pre-norm blocks, learned positions, causal.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

// Fields as in config.json; defaults are those of the class, which a config may leave out.
struct ClipTextConfig {
  int vocab_size = 49408;
  int hidden_size = 512;
  int intermediate_size = 2048;
  int num_hidden_layers = 12;
  int num_attention_heads = 8;
  int max_position_embeddings = 77;
  int projection_dim = 512;
  std::string hidden_act = "quick_gelu";  // or "gelu"
  double layer_norm_eps = 1e-5;
  int eos_token_id = 49407;
  // Not in published files: how many of the last layers both sequences of states leave out.
  int clip_skip = 0;
  bool operator==(const ClipTextConfig&) const = default;
};

// Inputs "ids" (B, T) i32 and "eos" (B) i32, the place of each text's end (clip_eos()).
// Outputs, C the hidden size: "last_hidden_state" (B, T, C), with the final norm; "penultimate" (B, T, C), what the
// last layer reads, without norm; "pooled" (B, C), the last state of all layers at the end of the text, or with
// `projection` (B, projection_dim). Taps "layer.N" (B, T, C).
graph::Graph build_clip_text(const ClipTextConfig& config, bool projection, int batch, int tokens);

// Where the text ends: the first token that is the end, or 0 if there is none. Configs from before the end token was
// corrected name token 2; with these it is the first of the largest ids.
std::int32_t clip_eos(const ClipTextConfig& config, std::span<const std::int32_t> ids);

Json to_json(const ClipTextConfig& config);
ClipTextConfig clip_text_from_json(const Json& json);  // bad_file

}  // namespace thimble::models
