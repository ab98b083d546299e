// The tokenizer of CLIP's text encoders (Radford et al. 2021), read from its published list of merges
// (bpe_simple_vocab_16e6.txt.gz, plain or gzipped text): 512 byte tokens (each byte also as the last of a word), 48894
// merges, begin and end; 49408 ids.
//
// Text is cleaned (HTML references, curly quotes, full-width forms and ligatures become plain; whitespace becomes one
// space), lowercased, cut into letters, single digits and runs of the rest, and merged byte by byte. The original also
// repairs mis-decoded text and composes accents (its `ftfy` step); that is not done here: write text precomposed (NFC).
// As in the original, "<|startoftext|>" and "<|endoftext|>" inside the text become those tokens.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe_merge.h"
#include "text/tokenizer.h"

namespace thimble::text {

class ClipBpe final : public Tokenizer {
 public:
  static constexpr std::size_t kMerges = 49152 - 256 - 2;

  // The file's first line is a title; the next `merges` lines hold two tokens each, more lines are not read.
  // Fails with bad_file naming file and line, or io.
  static ClipBpe open(const std::filesystem::path& path, std::size_t merges = kMerges);
  static ClipBpe parse(std::string_view vocabulary, const std::string& name, std::size_t merges = kMerges);

  std::vector<std::int32_t> encode(std::string_view text) const override;
  // Words end with one space, the last one without.
  std::string decode(std::span<const std::int32_t> ids) const override;
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(bytes_.size()); }
  SpecialTokens special() const override { return {.pad = -1, .begin = begin(), .end = begin() + 1}; }

 private:
  ClipBpe() = default;
  std::int32_t begin() const { return vocab_size() - 2; }
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const;

  std::vector<std::int32_t> byte_ids_;  // of byte b inside a word; 256 more for the last of a word
  std::vector<std::string> bytes_;      // by id; tokens that end a word end with a space
  MergeTable table_;
};

// The cleaning and lowercasing that encode() begins with.
std::string clean_clip_text(std::string_view text);

}  // namespace thimble::text
