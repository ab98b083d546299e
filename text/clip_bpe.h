// The tokenizer of CLIP's text encoders (Radford et al. 2021), read from its published list of merges
// (bpe_simple_vocab_16e6.txt.gz, plain or gzipped text): 512 byte tokens (each byte also as the last of a word), 48894
// merges, begin and end; 49408 ids.
//
// Text is cleaned, lowercased, cut into letters, single digits and runs of the rest, and merged byte by byte. Two ways
// of cleaning are in use, and pictures made with other programs need the same one:
// - `original`, of the tokenizer that CLIP was trained with: HTML references, curly quotes, full-width forms and
//   ligatures become plain, control characters vanish, accents are composed. It also repairs mis-decoded text (in its
//   `ftfy` step); that is not done here. Special tokens are found after lowercasing.
// - `transformers`, of CLIPTokenizer in transformers, which diffusers uses: accents are composed, no more. Special
//   tokens are found in the text as given.
// Either way "<|startoftext|>" and "<|endoftext|>" inside the text become those tokens.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe_merge.h"
#include "text/tokenizer.h"

namespace thimble::text {

enum class ClipCleaning { original, transformers };

class ClipBpe final : public Tokenizer {
 public:
  static constexpr std::size_t kMerges = 49152 - 256 - 2;

  // The file's first line is a title; the next `merges` lines hold two tokens each, more lines are not read.
  // merges.txt of a transformers directory is the same list. Fails with bad_file naming file and line, or io.
  static ClipBpe open(const std::filesystem::path& path, std::size_t merges = kMerges,
                      ClipCleaning cleaning = ClipCleaning::original);
  static ClipBpe parse(std::string_view vocabulary, const std::string& name, std::size_t merges = kMerges,
                       ClipCleaning cleaning = ClipCleaning::original);

  std::vector<std::int32_t> encode(std::string_view text) const override;
  // Words end with one space, the last one without.
  std::string decode(std::span<const std::int32_t> ids) const override;
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(bytes_.size()); }
  SpecialTokens special() const override { return {.pad = -1, .begin = begin(), .end = begin() + 1}; }

 private:
  ClipBpe() = default;
  std::int32_t begin() const { return vocab_size() - 2; }
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const;
  void encode_clean(std::string_view text, std::vector<std::int32_t>& out) const;

  ClipCleaning cleaning_ = ClipCleaning::original;
  std::vector<std::int32_t> byte_ids_;  // of byte b inside a word; 256 more for the last of a word
  std::vector<std::string> bytes_;      // by id; tokens that end a word end with a space
  MergeTable table_;
};

// The cleaning and lowercasing that encode() begins with.
std::string clean_clip_text(std::string_view text, ClipCleaning cleaning = ClipCleaning::original);

}  // namespace thimble::text
