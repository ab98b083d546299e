// What every tokenizer of this folder can do, and the helpers that fit token ids to a network's input.
// Not here: padding masks and buckets of lengths, which belong to the pipelines; UTF-8 itself (text/utf8.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thimble::text {

// Ids of the tokens that are not text; -1 where a vocabulary has none.
struct SpecialTokens {
  std::int32_t pad = -1;
  std::int32_t begin = -1;
  std::int32_t end = -1;
  std::int32_t unknown = -1;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of the text alone: no begin, end or padding (see frame()). Text is UTF-8; anything else is bad_input that
  // names the byte offset. Time grows nearly linearly with the text.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // The text of `ids`; special tokens give nothing, an id outside the vocabulary is bad_input.
  virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
  virtual std::int32_t vocab_size() const = 0;  // ids are in [0, vocab_size())
  virtual SpecialTokens special() const = 0;
};

// Cuts `ids` to at most `max_length` (>= 0) and returns how many were dropped, so that a caller can say so.
std::size_t fit_to(std::vector<std::int32_t>& ids, std::size_t max_length);

// What goes around a text's ids. The defaults are those of Stable Diffusion's first encoder (CLIP, padded with its end
// token) and of T5; the second encoder of Stable Diffusion XL and 3 pads CLIP's with 0, "!", and Gemma has no end.
struct FrameRules {
  bool begin = true, end = true;  // the tokens the tokenizer has
  std::int32_t pad = -1;          // -1: the tokenizer's, or else its end token
};

// begin + ids + end for those that the tokenizer has and the rules want, cut so that the whole has at most `max_length`
// ids and still closes with `end`; then padded to `pad_to` when that is longer.
struct Framed {
  std::vector<std::int32_t> ids;
  std::size_t length = 0;   // ids before the padding
  std::size_t dropped = 0;  // text ids that did not fit
};
Framed frame(const Tokenizer& tokenizer, std::vector<std::int32_t> ids, std::size_t max_length, std::size_t pad_to = 0,
             const FrameRules& rules = {});

}  // namespace thimble::text
