// Prompts as a text encoder wants them: token ids padded to a bucket, and the masks that make padding harmless
// (models/text_encoder.h). Training and sampling both go through here, so that they agree. "No text" is the empty
// prompt: begin and end alone.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "graph/tensor.h"
#include "text/tokenizer.h"

namespace thimble::diffusion {

inline constexpr float kMaskedScore = -1e9f;  // added to the scores of padded keys
inline constexpr std::size_t kMaxPromptBytes = 64 << 10;

struct PromptBatch {
  int length = 0;                    // L, the bucket
  graph::Tensor ids;                 // (B, L) i32
  graph::Tensor mask;                // (B, 1, 1, L) f32, 0 on tokens and kMaskedScore on padding
  graph::Tensor keep;                // (B, L, 1) f32, 1 on tokens and 0 on padding
  std::vector<std::size_t> dropped;  // per prompt: tokens beyond the longest bucket
};

// The smallest bucket that holds `tokens`, else the last. `buckets` ascends.
int bucket_for(std::size_t tokens, std::span<const int> buckets);

// All prompts share the bucket of the longest. bad_input for invalid UTF-8 (naming the byte offset) and for
// prompts above kMaxPromptBytes.
PromptBatch pack_prompts(const text::Tokenizer& tokenizer, std::span<const std::string> prompts,
                         std::span<const int> buckets);

}  // namespace thimble::diffusion
