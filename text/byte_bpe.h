// Byte-pair encoding over plain bytes (Sennrich et al. 2016, with the byte vocabulary of Radford et al. 2019 but no
// printable-alphabet detour): trainer, encoder, and JSON for the model file. Every text can be encoded, so there is no
// unknown token. Ids: 0 pad, 1 begin, 2 end, 3..258 the bytes 0..255, then one id per merge in the order learned.
//
// Text is lowercased (ASCII letters only: bytes of other scripts stay as they are), runs of whitespace become one
// space, leading and trailing ones vanish, and the rest is cut into words: a run of ASCII letters and bytes above
// 127, a run of digits, or one other character. A word that follows whitespace, and the first word, carries a leading
// space byte; merges never cross words. decode() gives back the lowercased text with single spaces; the bytes of a
// character that was cut in two are given as they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/bpe_merge.h"
#include "text/tokenizer.h"

namespace thimble::text {

class ByteBpe final : public Tokenizer {
 public:
  static constexpr std::int32_t kPad = 0, kBegin = 1, kEnd = 2, kFirstByte = 3, kFirstMerge = 259;
  static constexpr std::size_t kMaxTokenBytes = 128;  // longer tokens are neither learned nor read
  static constexpr std::int32_t kMaxVocab = 1 << 20;
  using Merge = std::pair<std::int32_t, std::int32_t>;  // two ids; the n-th merge makes id kFirstMerge + n

  // Fails with bad_input unless each merge joins two text ids made before it, no pair occurs twice, and the two limits
  // above hold.
  explicit ByteBpe(std::vector<Merge> merges);
  // Reads what to_json() wrote; bad_file, naming `what`, for anything else.
  static ByteBpe from_json(const Json& json, std::string_view what);
  Json to_json() const;

  std::vector<std::int32_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int32_t> ids) const override;
  std::int32_t vocab_size() const override { return kFirstMerge + static_cast<std::int32_t>(merges_.size()); }
  SpecialTokens special() const override { return {.pad = kPad, .begin = kBegin, .end = kEnd}; }

  const std::vector<Merge>& merges() const { return merges_; }
  std::string_view bytes_of(std::int32_t id) const;  // empty for special tokens

 private:
  std::vector<Merge> merges_;
  std::vector<std::string> bytes_;  // by id
  MergeTable table_;
};

struct BpeLine {
  std::string text;
  std::int64_t count = 1;  // >= 1: how often the line occurs
};

struct BpeTrainOptions {
  std::int32_t vocab_size = 4096;   // all ids, special tokens and bytes included; at least ByteBpe::kFirstMerge
  std::int64_t min_pair_count = 2;  // pairs rarer than this are not merged, so the vocabulary may end up smaller
};

// Deterministic: the most frequent pair is merged first, ties go to the pair with the smaller ids.
ByteBpe train_byte_bpe(const std::vector<BpeLine>& corpus, const BpeTrainOptions& options);

// The words of a text as the class comment defines them, lowercased, leading space included.
std::vector<std::string> split_words(std::string_view text);

}  // namespace thimble::text
