// Normalisation, Viterbi and decoding; the file is read in sentencepiece_model.cpp, sentencepiece_bpe.cpp merges.
#include "text/sentencepiece.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581 stands for a space inside pieces
constexpr float kUnknownPenalty = 10;                    // below the worst piece

unsigned byte_at(std::string_view s, std::size_t i) { return static_cast<unsigned char>(s[i]); }

// Units of the double-array trie: a label, the offset to the children, and whether a value hangs below.
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7fffffffu; }
std::uint32_t label_of(std::uint32_t unit) { return unit & 0x800000ffu; }
std::uint32_t offset_of(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

}  // namespace

// Pieces are sorted by bytes, so those that share a prefix are neighbours: the range narrows byte by byte.
template <class F>
void SentencePiece::for_each_prefix(std::string_view rest, F&& f) const {
  auto first = sorted_.begin(), last = sorted_.end();
  const auto text_of = [&](std::int32_t id) -> const std::string& {
    return pieces_[static_cast<std::size_t>(id)].text;
  };
  for (std::size_t depth = 0; depth < rest.size(); ++depth) {
    const int wanted = static_cast<int>(byte_at(rest, depth));
    const auto byte = [&](std::int32_t id) {
      const std::string& t = text_of(id);
      return t.size() <= depth ? -1 : static_cast<int>(byte_at(t, depth));
    };
    first = std::partition_point(first, last, [&](std::int32_t id) { return byte(id) < wanted; });
    last = std::partition_point(first, last, [&](std::int32_t id) { return byte(id) == wanted; });
    if (first == last) return;
    if (text_of(*first).size() == depth + 1) f(*first, depth + 1);
  }
}

std::size_t SentencePiece::user_defined_prefix(std::string_view rest) const {
  std::size_t longest = 0;
  if (!has_user_defined_) return longest;
  for_each_prefix(rest, [&](std::int32_t id, std::size_t n) {
    if (pieces_[static_cast<std::size_t>(id)].kind == Kind::user_defined) longest = n;
  });
  return longest;
}

std::string_view SentencePiece::normalise_prefix(std::string_view rest, std::size_t& covered) const {
  if (const std::size_t user = user_defined_prefix(rest); user != 0) return rest.substr(0, covered = user);
  const auto& trie = normaliser_.trie;
  const std::string& replacements = normaliser_.replacements;
  std::size_t longest = 0, value = 0;
  if (!trie.empty()) {
    std::uint32_t node = offset_of(trie[0]);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      node ^= byte_at(rest, i);
      if (node >= trie.size() || label_of(trie[node]) != byte_at(rest, i)) break;
      const std::uint32_t unit = trie[node];
      node ^= offset_of(unit);
      if (node >= trie.size()) break;
      if (!has_leaf(unit)) continue;
      longest = i + 1;
      value = value_of(trie[node]);
    }
  }
  // Whole characters only, and only replacements that exist: the table is a stranger's.
  const bool whole = longest == rest.size() || (byte_at(rest, longest) & 0xc0) != 0x80;
  if (longest == 0 || !whole || value >= replacements.size() || (byte_at(replacements, value) & 0xc0) == 0x80) {
    return rest.substr(0, covered = utf8_length(rest, 0));
  }
  covered = longest;
  return std::string_view(replacements).substr(value, replacements.find('\0', value) - value);
}

std::string SentencePiece::normalise(std::string_view text) const {
  check_utf8(text);
  const Normaliser& n = normaliser_;
  const std::string_view mark = n.escape_whitespaces ? kSpaceMark : std::string_view(" ");
  std::size_t covered = 0, at = 0;
  if (n.remove_extra_whitespaces) {
    while (at < text.size() && normalise_prefix(text.substr(at), covered) == " ") at += covered;
  }
  std::string out;
  if (at == text.size()) return out;
  if (n.add_dummy_prefix) out += mark;
  bool after_space = n.remove_extra_whitespaces;
  while (at < text.size()) {
    std::string_view piece = normalise_prefix(text.substr(at), covered);
    at += covered;
    while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
    for (const char c : piece) c == ' ' ? out += mark : out += c;
    if (!piece.empty()) after_space = piece.ends_with(' ');
    after_space &= n.remove_extra_whitespaces;
  }
  while (n.remove_extra_whitespaces && out.ends_with(mark)) out.erase(out.size() - mark.size());
  return out;
}

std::vector<std::int32_t> SentencePiece::encode(std::string_view given) const {
  const std::string text = normalise(given);
  std::vector<std::int32_t> ids;
  bool run = false;  // of unknown characters
  for (const Cut& c : bpe_ ? cut_bpe(text) : cut_unigram(text)) {
    const bool unknown = c.id == special_.unknown;
    if (unknown && !byte_ids_.empty()) {
      for (std::size_t i = 0; i < c.size; ++i) ids.push_back(byte_ids_[byte_at(text, c.begin + i)]);
    } else if (!unknown || !run) {
      ids.push_back(c.id);
    }
    run = unknown;
  }
  return ids;
}

std::vector<SentencePiece::Cut> SentencePiece::cut_unigram(std::string_view text) const {
  // Best way to reach each byte offset: its score, the last piece and where that piece begins.
  struct Step {
    float score = 0;
    std::int32_t id = -1;  // -1: not reached
    std::size_t begin = 0;
  };
  std::vector<Step> steps(text.size() + 1);
  const float unknown_score = min_score_ - kUnknownPenalty;
  for (std::size_t at = 0; at < text.size();) {
    const float here = steps[at].score;
    const std::size_t character = utf8_length(text, at);
    // Sums are compared in double and kept in float, as the original does: it decides between near ties.
    const auto offer = [&](std::int32_t id, std::size_t length, double score) {
      Step& step = steps[at + length];
      const double sum = score + here;
      if (step.id < 0 || sum > step.score) step = {static_cast<float>(sum), id, at};
    };
    bool covered = false;
    for_each_prefix(text.substr(at), [&](std::int32_t id, std::size_t length) {
      const Piece& p = pieces_[static_cast<std::size_t>(id)];
      // A piece the user defined wins over any cut of it.
      const bool user = p.kind == Kind::user_defined;
      offer(id, length, user ? static_cast<float>(length) * max_score_ - 0.1 : p.score);
      covered |= length == character;
    });
    if (!covered) offer(special_.unknown, character, unknown_score);
    at += character;
  }
  std::vector<Cut> cuts;
  for (std::size_t end = text.size(); end > 0; end = steps[end].begin) {
    cuts.push_back({steps[end].id, steps[end].begin, end - steps[end].begin});
  }
  std::reverse(cuts.begin(), cuts.end());
  return cuts;
}

std::int32_t SentencePiece::find(std::string_view wanted) const {
  const auto it = std::lower_bound(sorted_.begin(), sorted_.end(), wanted, [&](std::int32_t id, std::string_view w) {
    return pieces_[static_cast<std::size_t>(id)].text < w;
  });
  return it != sorted_.end() && pieces_[static_cast<std::size_t>(*it)].text == wanted ? *it : -1;
}

std::string_view SentencePiece::piece(std::int32_t id) const {
  if (id < 0 || id >= vocab_size())
    fail(ErrorKind::bad_input, "token id {} is outside the vocabulary of {}", id, vocab_size());
  return pieces_[static_cast<std::size_t>(id)].text;
}

std::string SentencePiece::decode(std::span<const std::int32_t> ids) const {
  std::string text, bytes;  // a run of byte pieces
  const auto end_run = [&] {
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = utf8_length(bytes, at);
      text += n == 0 ? std::string_view("\xef\xbf\xbd") : std::string_view(bytes).substr(at, n);
      at += std::max<std::size_t>(n, 1);
    }
    bytes.clear();
  };
  for (const std::int32_t id : ids) {
    const std::string_view p = piece(id);
    const Kind kind = pieces_[static_cast<std::size_t>(id)].kind;
    if (kind == Kind::byte) {
      const auto value = std::ranges::find(byte_ids_, id) - byte_ids_.begin();
      bytes += static_cast<char>(value);
      continue;
    }
    end_run();
    if (kind == Kind::control || kind == Kind::unknown) continue;
    for (std::size_t at = 0; at < p.size();) {
      const bool space = p.substr(at).starts_with(kSpaceMark);
      text += space ? ' ' : p[at];
      at += space ? kSpaceMark.size() : 1;
    }
  }
  end_run();
  if (normaliser_.add_dummy_prefix && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

}  // namespace thimble::text
