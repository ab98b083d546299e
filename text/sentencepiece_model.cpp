// Reading of SentencePiece's .model file. Field numbers are those of sentencepiece_model.proto.
#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "text/sentencepiece.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

constexpr std::size_t kMaxModelBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxPieces = 1 << 22;
constexpr std::size_t kMaxPieceBytes = 1024;
constexpr std::uint64_t kUnigram = 1, kBpe = 2;

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t n = utf8_length(text, at);
    if (n == 0) return false;
    at += n;
  }
  return true;
}

// Of "<0x1F>"; -1 for any other text.
int byte_value(std::string_view piece) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const std::size_t high = kDigits.find(piece[3]), low = kDigits.find(piece[4]);
  return high > 15 || low > 15 ? -1 : static_cast<int>(high * 16 + low);
}

std::uint32_t unit_at(std::string_view bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i)
    v |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return v;
}

}  // namespace

SentencePiece SentencePiece::open(const std::filesystem::path& path) {
  return parse(read_file(path, kMaxModelBytes), path.string());
}

SentencePiece SentencePiece::parse(std::string_view model, const std::string& name) {
  SentencePiece sp;
  sp.special_ = {.pad = -1, .begin = 1, .end = 2, .unknown = 0};  // the format's defaults
  for (WireReader r(model, 0, name); r.next();) {
    if (r.field() == 1) sp.read_piece(r, name);
    if (r.field() == 2) sp.read_trainer(r, name);
    if (r.field() == 3) sp.read_normaliser(r, name);
  }
  sp.finish(name);
  return sp;
}

void SentencePiece::read_piece(const WireReader& field, const std::string& name) {
  Piece piece;
  std::uint64_t kind = 1;
  for (WireReader r(field.bytes(), field.bytes_offset(), name); r.next();) {
    if (r.field() == 1) piece.text = r.bytes();
    if (r.field() == 2) piece.score = r.float32();
    if (r.field() == 3) kind = r.varint();
  }
  const auto refuse = [&](const char* why) {
    fail(ErrorKind::bad_file, "{}: piece {} at byte {} {}", name, pieces_.size(), field.bytes_offset(), why);
  };
  if (piece.text.empty() || piece.text.size() > kMaxPieceBytes) refuse("is empty or of more than 1024 bytes");
  if (!is_utf8(piece.text)) refuse("is not valid UTF-8");
  if (!std::isfinite(piece.score)) refuse("has a score that is no number");
  if (kind < 1 || kind > 6) refuse("is of an unknown kind");
  piece.kind = static_cast<Kind>(kind);
  if (pieces_.size() == kMaxPieces) refuse("is one too many");
  pieces_.push_back(std::move(piece));
}

void SentencePiece::read_trainer(const WireReader& field, const std::string& name) {
  for (WireReader r(field.bytes(), field.bytes_offset(), name); r.next();) {
    switch (r.field()) {
      case 3:
        if (r.varint() != kUnigram && r.varint() != kBpe) {
          fail(ErrorKind::unsupported, "{}: SentencePiece model type {}; unigram (1) and BPE (2) are read", name,
               r.varint());
        }
        bpe_ = r.varint() == kBpe;
        break;
      case 24:
        if (r.boolean()) fail(ErrorKind::unsupported, "{}: whitespace as a suffix is not supported", name);
        break;
      case 35:
        if (r.boolean()) byte_ids_.assign(256, -1);
        break;
      case 40: special_.unknown = r.int32(); break;
      case 41: special_.begin = r.int32(); break;
      case 42: special_.end = r.int32(); break;
      case 43: special_.pad = r.int32(); break;
      default: break;
    }
  }
}

void SentencePiece::read_normaliser(const WireReader& field, const std::string& name) {
  for (WireReader r(field.bytes(), field.bytes_offset(), name); r.next();) {
    if (r.field() == 3) normaliser_.add_dummy_prefix = r.boolean();
    if (r.field() == 4) normaliser_.remove_extra_whitespaces = r.boolean();
    if (r.field() == 5) normaliser_.escape_whitespaces = r.boolean();
    if (r.field() != 2 || r.bytes().empty()) continue;
    // Compiled table: size of the trie in bytes, the trie, the replacements.
    const std::string_view blob = r.bytes();
    const std::size_t size = blob.size() < 4 ? 0 : unit_at(blob, 0);
    if (blob.size() < 4 || size > blob.size() - 4 || size % 4 != 0 || size == 0) {
      fail(ErrorKind::bad_file, "{}: the normalisation table at byte {} is damaged", name, r.bytes_offset());
    }
    normaliser_.trie.clear();
    for (std::size_t at = 4; at < 4 + size; at += 4) normaliser_.trie.push_back(unit_at(blob, at));
    normaliser_.replacements = blob.substr(4 + size);
    // A replacement is found by its offset and ends with a zero byte; the last one too.
    if (!normaliser_.replacements.empty() && normaliser_.replacements.back() != '\0') {
      fail(ErrorKind::bad_file, "{}: the normalisation table at byte {} has no end", name, r.bytes_offset());
    }
    if (!is_utf8(normaliser_.replacements)) {
      fail(ErrorKind::bad_file, "{}: the normalisation table at byte {} is not valid UTF-8", name, r.bytes_offset());
    }
  }
}

void SentencePiece::finish(const std::string& name) {
  if (pieces_.empty()) fail(ErrorKind::bad_file, "{}: no pieces (is this a SentencePiece model?)", name);
  const auto size = vocab_size();
  for (std::int32_t* id : {&special_.pad, &special_.begin, &special_.end, &special_.unknown}) {
    if (*id >= size) fail(ErrorKind::bad_file, "{}: special id {} is outside the vocabulary of {}", name, *id, size);
    if (*id < 0) *id = -1;
  }
  if (special_.unknown < 0 || pieces_[static_cast<std::size_t>(special_.unknown)].kind != Kind::unknown) {
    fail(ErrorKind::bad_file, "{}: the unknown token {} is no piece of that kind", name, special_.unknown);
  }
  std::optional<float> low, high;
  for (std::int32_t id = 0; id < size; ++id) {
    const Piece& p = pieces_[static_cast<std::size_t>(id)];
    if (p.kind == Kind::byte) {
      const int value = byte_ids_.empty() ? -1 : byte_value(p.text);
      if (value < 0) fail(ErrorKind::bad_file, "{}: piece {} stands for no byte of a byte fallback", name, id);
      byte_ids_[static_cast<std::size_t>(value)] = id;
    }
    if (p.kind == Kind::normal) {
      low = std::min(low.value_or(p.score), p.score);
      high = std::max(high.value_or(p.score), p.score);
    }
    // Merges may pass through pieces that no text keeps.
    const bool matched = p.kind == Kind::normal || p.kind == Kind::user_defined || (bpe_ && p.kind == Kind::unused);
    if (matched) sorted_.push_back(id);
    has_user_defined_ |= p.kind == Kind::user_defined;
  }
  if (const auto it = std::ranges::find(byte_ids_, -1); it != byte_ids_.end()) {
    fail(ErrorKind::bad_file, "{}: byte fallback has no piece for byte {}", name, it - byte_ids_.begin());
  }
  min_score_ = low.value_or(0);
  max_score_ = high.value_or(0);
  const auto text_of = [&](std::int32_t id) -> const std::string& {
    return pieces_[static_cast<std::size_t>(id)].text;
  };
  std::sort(sorted_.begin(), sorted_.end(), [&](auto a, auto b) { return text_of(a) < text_of(b); });
  const auto twin =
      std::adjacent_find(sorted_.begin(), sorted_.end(), [&](auto a, auto b) { return text_of(a) == text_of(b); });
  if (twin != sorted_.end())
    fail(ErrorKind::bad_file, "{}: pieces {} and {} are the same text", name, twin[0], twin[1]);
}

}  // namespace thimble::text
