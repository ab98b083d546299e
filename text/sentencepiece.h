// SentencePiece tokenizers read from their .model file (protobuf, sentencepiece_model.proto): the file's own
// normalisation (a compiled table, NFKC for T5; none for Gemma), then the most probable cut into pieces (unigram, Kudo
// 2018: Viterbi, as T5's) or merges of neighbours, the best piece first (BPE, as Gemma's). With byte fallback what no
// piece covers becomes its bytes. Not here: other model types (word, char: `unsupported`) and sampling.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/wire.h"

namespace thimble::text {

class SentencePiece final : public Tokenizer {
 public:
  // bad_file (naming file and byte offset), unsupported, or io.
  static SentencePiece open(const std::filesystem::path& path);
  static SentencePiece parse(std::string_view model, const std::string& name);

  // A run of characters that no piece covers is one unknown token; its bytes where the model has pieces for them.
  std::vector<std::int32_t> encode(std::string_view text) const override;
  // Unknown tokens and control tokens give no text; the dummy space in front is taken off. Bytes that make no UTF-8
  // give U+FFFD each.
  std::string decode(std::span<const std::int32_t> ids) const override;
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(pieces_.size()); }
  SpecialTokens special() const override { return special_; }

  std::string_view piece(std::int32_t id) const;       // as the file writes it, U+2581 for a space
  std::string normalise(std::string_view text) const;  // what encode() cuts into pieces

 private:
  enum class Kind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string text;
    float score = 0;  // log probability
    Kind kind = Kind::normal;
  };
  struct Normaliser {
    std::vector<std::uint32_t> trie;  // double array
    std::string replacements;         // texts that end with a zero byte
    bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  };

  SentencePiece() = default;
  // Readers of the file's messages (sentencepiece_model.cpp); `field` stands on the message.
  void read_piece(const WireReader& field, const std::string& name);
  void read_trainer(const WireReader& field, const std::string& name);
  void read_normaliser(const WireReader& field, const std::string& name);
  void finish(const std::string& name);  // checks and indexes the whole
  // The replacement of the longest prefix of `rest` in the table, else its first character; and how much it covers.
  std::string_view normalise_prefix(std::string_view rest, std::size_t& covered) const;
  // A stretch of normalised text and its piece; special_.unknown where there is none.
  struct Cut {
    std::int32_t id;
    std::size_t begin, size;
  };
  std::vector<Cut> cut_unigram(std::string_view text) const;
  std::vector<Cut> cut_bpe(std::string_view text) const;         // sentencepiece_bpe.cpp
  std::int32_t find(std::string_view piece) const;               // -1 when it is none that text may match
  std::size_t user_defined_prefix(std::string_view rest) const;  // bytes of the longest; 0 when there is none
  // Calls f(id, bytes) for each piece that `rest` begins with, shortest first.
  template <class F>
  void for_each_prefix(std::string_view rest, F&& f) const;

  std::vector<Piece> pieces_;
  std::vector<std::int32_t> sorted_;  // ids of pieces that text may match, by their bytes
  Normaliser normaliser_;
  SpecialTokens special_;
  float min_score_ = 0, max_score_ = 0;  // of normal pieces
  bool has_user_defined_ = false, bpe_ = false;
  std::vector<std::int32_t> byte_ids_;  // with byte fallback: of each byte
};

}  // namespace thimble::text
