#include "models/published_text.h"

namespace thimble::models {

ClipTextConfig clip_l() {
  return {.hidden_size = 768,
          .intermediate_size = 3072,
          .num_hidden_layers = 12,
          .num_attention_heads = 12,
          .projection_dim = 768,
          .hidden_act = "quick_gelu",
          .eos_token_id = 2};
}

ClipTextConfig openclip_bigg() {
  return {.hidden_size = 1280,
          .intermediate_size = 5120,
          .num_hidden_layers = 32,
          .num_attention_heads = 20,
          .projection_dim = 1280,
          .hidden_act = "gelu",
          .eos_token_id = 2};
}

T5TextConfig t5_xxl() {
  return {
      .d_model = 4096, .d_kv = 64, .d_ff = 10240, .num_layers = 24, .num_heads = 64, .feed_forward_proj = "gated-gelu"};
}

GemmaTextConfig gemma_2_2b() { return {}; }

}  // namespace thimble::models
