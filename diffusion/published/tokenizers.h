// From the tokenizer files of a published model to a tokenizer. Not here: framing and padding (text_plan.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "formats/diffusers/model_dir.h"
#include "text/tokenizer.h"

namespace thimble::diffusion {

// By the class that the files name: CLIP's merges, or a SentencePiece model (T5, Gemma). unsupported for other classes,
// and for directories that hold nothing but tokenizer.json.
std::shared_ptr<const text::Tokenizer> open_tokenizer(const formats::TokenizerFiles& files);

// merges.txt, bpe_simple_vocab_16e6.txt.gz, a SentencePiece .model, or a directory that holds one of them.
std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::filesystem::path& path);

// The token that tokenizer_config.json pads with where it says so; -1 for the tokenizer's own rule.
std::int32_t padding_of(const formats::TokenizerFiles& files, const text::Tokenizer& tokenizer);

}  // namespace thimble::diffusion
