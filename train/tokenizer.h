// Learns the tokenizer of captions from the training split. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>

#include "text/byte_bpe.h"

namespace thimble::train {

struct TokenizerOptions {
  std::filesystem::path data;  // emoji.pack
  int vocabulary = 4096;
  int captions = 12;  // drawn for every picture
  std::uint64_t seed = 1;
};
text::ByteBpe train_caption_tokenizer(const TokenizerOptions& options);

text::ByteBpe read_tokenizer(const std::filesystem::path& path);

}  // namespace thimble::train
