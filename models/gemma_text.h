// Gemma 2 (Gemma Team 2024) as a text encoder, as Gemma2Model publishes it: Sana reads the states of the 2B model
// after the final norm. Grouped queries, rotary positions, scores squashed by tanh, a sliding window in every other
// layer, norms before and after each half of a block.
// Not here: logits and their squashing (final_logit_softcapping), which states do not pass through; key caches.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

// Fields as in config.json; defaults are those of the class, which a config may leave out.
struct GemmaTextConfig {
  int vocab_size = 256000;
  int hidden_size = 2304;
  int intermediate_size = 9216;
  int num_hidden_layers = 26;
  int num_attention_heads = 8;
  int num_key_value_heads = 4;
  int head_dim = 256;
  int max_position_embeddings = 8192;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  bool attention_bias = false;
  double query_pre_attn_scalar = 256;  // scores are divided by its root
  double attn_logit_softcapping = 50;  // s becomes cap * tanh(s / cap); 0: no squashing
  int sliding_window = 4096;           // keys that a query of a sliding layer reads, itself included
  std::vector<bool> sliding = {};      // by layer; empty: the even ones
  bool operator==(const GemmaTextConfig&) const = default;
};

// Inputs "ids" (B, T) i32; "mask" (B, 1, 1, T) f32, added to the scores: 0 on tokens, -1e9 on padding.
// Output "last_hidden_state" (B, T, hidden_size). Taps "layer.N" (B, T, hidden_size).
graph::Graph build_gemma_text(const GemmaTextConfig& config, int batch, int tokens);

Json to_json(const GemmaTextConfig& config);
GemmaTextConfig gemma_text_from_json(const Json& json);  // bad_file

}  // namespace thimble::models
