// What one training step of the generator reads, and how it is drawn. No LibTorch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/emoji/dataset.h"
#include "diffusion/prompt.h"
#include "text/tokenizer.h"
#include "train/latents.h"
#include "train/pictures.h"

namespace thimble::train {

struct GeneratorBatch {
  std::vector<float> noisy, velocity;  // (B, g, g, C)
  std::vector<float> time;             // (B), in (0, 1)
  diffusion::PromptBatch prompts;
};

struct DrawOptions {
  int batch = 128;
  double empty_captions = 0.1, reworded = 0.5, on_colour = 0.3, shift = 1;
  std::vector<int> text_buckets{16, 32, 64};
};

class GeneratorData {
 public:
  GeneratorData(std::shared_ptr<const data::EmojiSet> set, std::shared_ptr<const LatentCache> cache,
                std::shared_ptr<const text::Tokenizer> tokenizer, data::Split split);
  // Depends on (seed, stream) and the options alone.
  GeneratorBatch draw(const DrawOptions& options, std::uint64_t seed, std::uint64_t stream) const;

 private:
  std::shared_ptr<const data::EmojiSet> set_;
  std::shared_ptr<const LatentCache> cache_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  Sampler sampler_;
};

}  // namespace thimble::train
