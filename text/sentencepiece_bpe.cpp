// Byte-pair encoding with SentencePiece's pieces: of all neighbours whose joined text is a piece, those merge whose
// piece has the best score, the leftmost among equals. User-defined pieces stand first and stay as they are.
#include <functional>
#include <queue>
#include <unordered_map>

#include "text/sentencepiece.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

struct Symbol {
  std::size_t begin, size;  // size 0 once merged into the one to its left
  std::int32_t previous, next;
  bool frozen;
};

// A pair as it was found; outdated when the sizes no longer add up.
struct PieceMerge {
  float score;
  std::int32_t left, right;
  std::size_t size;
  bool operator<(const PieceMerge& o) const { return score != o.score ? score < o.score : left > o.left; }
};

}  // namespace

std::vector<SentencePiece::Cut> SentencePiece::cut_bpe(std::string_view text) const {
  std::vector<Symbol> symbols;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t user = user_defined_prefix(text.substr(at)), size = user != 0 ? user : utf8_length(text, at);
    const auto i = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({at, size, i - 1, at + size < text.size() ? i + 1 : -1, user != 0});
    at += size;
  }
  const auto symbol = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto kind = [&](std::int32_t id) { return pieces_[static_cast<std::size_t>(id)].kind; };

  std::priority_queue<PieceMerge> queue;
  std::unordered_map<std::string_view, std::size_t> parts;  // size of the left part of merged pieces that no text keeps
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0 || symbol(left).frozen || symbol(right).frozen) return;
    const Symbol& l = symbol(left);
    const std::string_view joined = text.substr(l.begin, l.size + symbol(right).size);
    const std::int32_t id = find(joined);
    if (id < 0) return;
    queue.push({pieces_[static_cast<std::size_t>(id)].score, left, right, joined.size()});
    if (kind(id) == Kind::unused) parts[joined] = l.size;
  };
  for (std::int32_t i = 1; i < static_cast<std::int32_t>(symbols.size()); ++i) consider(i - 1, i);
  while (!queue.empty()) {
    const PieceMerge c = queue.top();
    queue.pop();
    Symbol &left = symbol(c.left), &right = symbol(c.right);
    if (left.size == 0 || right.size == 0 || left.size + right.size != c.size) continue;
    left.size = c.size;
    right.size = 0;
    left.next = right.next;
    if (left.next >= 0) symbol(left.next).previous = c.left;
    consider(left.previous, c.left);
    consider(c.left, left.next);
  }

  std::vector<Cut> cuts;
  const std::function<void(std::size_t, std::size_t)> emit = [&](std::size_t begin, std::size_t size) {
    const std::string_view piece = text.substr(begin, size);
    const std::int32_t id = find(piece);
    if (id >= 0 && kind(id) == Kind::unused) {
      if (const auto it = parts.find(piece); it != parts.end()) {
        emit(begin, it->second);
        return emit(begin + it->second, size - it->second);
      }
    }
    cuts.push_back({id < 0 ? special_.unknown : id, begin, size});
  };
  for (std::int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbol(i).next) emit(symbol(i).begin, symbol(i).size);
  return cuts;
}

}  // namespace thimble::text
