// A small bidirectional transformer over caption tokens: pre-norm blocks, learned positions, masked keys.
#pragma once

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

struct TextEncoderConfig {
  int vocabulary = 4096;
  int width = 192;
  int depth = 2;
  int heads = 4;
  int ffn_ratio = 4;
  int max_length = 64;
  int out_width = 256;  // what the denoiser reads
  bool operator==(const TextEncoderConfig&) const = default;
};

// Inputs "ids" (B, L) i32; "mask" (B, 1, 1, L) f32, 0 on tokens and -1e9 on padding; "keep" (B, L, 1) f32, 1 and 0.
// Outputs "states" (B, L, out_width) and "pooled" (B, out_width), the mean over tokens. Padding does not change either.
graph::Graph build_text_encoder(const TextEncoderConfig& config, int batch, int length);

Json to_json(const TextEncoderConfig& config);
TextEncoderConfig text_encoder_from_json(const Json& json);

}  // namespace thimble::models
