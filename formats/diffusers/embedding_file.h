// Textual inversion (Gal et al. 2022): a word's vectors, learnt, in a small safetensors file. diffusers names the
// tensor by the word ("<cat-toy>"), other programs "emb_params", and for two encoders "clip_l" and "clip_g". Not here:
// giving the word to a tokenizer and its vectors to an encoder (diffusion/published/adapters.h).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/tensor.h"

namespace thimble::formats {

inline constexpr std::int64_t kMaxEmbeddingVectors = 75;  // what a prompt of CLIP holds

struct EmbeddingFile {
  std::string token;                   // the word in the file; empty when it carries none
  std::vector<graph::Tensor> vectors;  // each (n, width) of one encoder, f32
};

// bad_file for a damaged file and for one that holds something else; unsupported for pickles.
EmbeddingFile read_embedding(const std::filesystem::path& path);
EmbeddingFile parse_embedding(std::span<const std::byte> bytes, std::string name);

}  // namespace thimble::formats
