// T5's encoder (Raffel et al. 2020; version 1.1 with gated units), as T5EncoderModel publishes it: the text encoder of
// PixArt, Stable Diffusion 3 and FLUX.1. Learned bias by bucketed distance, which the first layer holds for all; norms
// without mean; products of queries and keys unscaled.
#pragma once

#include <string>

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

// Fields as in config.json; defaults are those of the class, which a config may leave out.
struct T5TextConfig {
  int vocab_size = 32128;
  int d_model = 512;
  int d_kv = 64;  // width of a head; heads * d_kv need not be d_model
  int d_ff = 2048;
  int num_layers = 6;
  int num_heads = 8;
  int relative_attention_num_buckets = 32;
  int relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  std::string feed_forward_proj = "relu";  // or "gated-gelu", whose gelu is the tanh approximation
  bool operator==(const T5TextConfig&) const = default;
};

// Inputs "ids" (B, T) i32; "mask" (B, 1, 1, T) f32, added to the scores: 0 on tokens, -1e9 on padding.
// Output "last_hidden_state" (B, T, d_model). Taps "bias" (heads, T, T), "layer.N" (B, T, d_model).
graph::Graph build_t5_text(const T5TextConfig& config, int batch, int tokens);

// The bucket of a key `offset` places after its query, in [0, buckets): half of them for later keys; in each half,
// half for single distances and half logarithmic up to `max_distance`.
int t5_bucket(int offset, int buckets, int max_distance);

Json to_json(const T5TextConfig& config);
T5TextConfig t5_text_from_json(const Json& json);  // bad_file

}  // namespace thimble::models
