// Two-tower contrastive scorer: how well a picture and a caption fit (CLIP's scheme, Radford et al. 2021, at toy size).
// Both towers end in a unit vector; the score is their inner product. A measuring instrument of our own, calibrated on
// real pairs; never part of a shipped generator.
#pragma once

#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "models/text_encoder.h"

namespace thimble::models {

struct ScorerConfig {
  int image_size = 64;
  std::vector<int> channels{48, 96, 160, 192};  // at 1/2, 1/4, 1/8, 1/16
  int width = 128;                              // of the shared space
  TextEncoderConfig text{
      .vocabulary = 4096, .width = 128, .depth = 2, .heads = 4, .ffn_ratio = 4, .max_length = 64, .out_width = 128};
  bool operator==(const ScorerConfig&) const = default;
};

// "image" (B, size, size, 3), RGB in [-1, 1] on white -> "embedding" (B, width), unit length.
graph::Graph build_scorer_image(const ScorerConfig& config, int batch);
// "ids", "mask", "keep" as models/text_encoder.h -> "embedding" (B, width), unit length.
graph::Graph build_scorer_text(const ScorerConfig& config, int batch, int length);

Json to_json(const ScorerConfig& config);
ScorerConfig scorer_from_json(const Json& json);

}  // namespace thimble::models
