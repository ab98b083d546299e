// SentencePiece unigram tokenizers (Kudo 2018), as T5's, read from their .model file (protobuf,
// sentencepiece_model.proto): the file's own normalisation (a compiled table, NFKC for T5), then the most probable cut
// into pieces (Viterbi). Not here: other model types (BPE, word, char: `unsupported`), sampling, and byte fallback.
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

  // A run of characters that no piece covers is one unknown token.
  std::vector<std::int32_t> encode(std::string_view text) const override;
  // Unknown tokens and control tokens give no text; the dummy space in front is taken off.
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
  // Calls f(id, bytes) for each piece that `rest` begins with, shortest first.
  template <class F>
  void for_each_prefix(std::string_view rest, F&& f) const;

  std::vector<Piece> pieces_;
  std::vector<std::int32_t> sorted_;  // ids of pieces that text may match, by their bytes
  Normaliser normaliser_;
  SpecialTokens special_;
  float min_score_ = 0, max_score_ = 0;  // of normal pieces
  bool has_user_defined_ = false;
};

}  // namespace thimble::text
