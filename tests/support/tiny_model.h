// A whole text-to-picture model of a few thousand random weights, so that tests of the pipeline, the library and the
// command need no trained one. Its pictures mean nothing, but every weight and the prompt have an effect on them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/dtype.h"
#include "base/json.h"
#include "diffusion/facts.h"

namespace thimble::testing {

struct TinyModelOptions {
  DType stored = DType::f32;  // f32, bf16 or f16
  std::uint64_t seed = 1;
  // 32x32 pictures, prompts of at most 32 tokens, buckets of 8, 16 and 32.
  diffusion::Facts facts = tiny_facts();

  static diffusion::Facts tiny_facts();
};

void write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& options = {});

// The header that write_tiny_model() writes.
Json tiny_model_header(const TinyModelOptions& options = {});

}  // namespace thimble::testing
