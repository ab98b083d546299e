#include "gauge/detect/word_search.h"

namespace thimble::gauge {

WordSearch::WordSearch(const std::vector<std::string_view>& words) : next_(1), states_(1) {
  next_[0].fill(0);
  for (std::size_t w = 0; w < words.size(); ++w) {
    lengths_.push_back(words[w].size());
    std::uint16_t at = 0;
    for (const char c : words[w]) {
      std::uint16_t& to = next_[at][static_cast<unsigned char>(c)];
      if (to == 0) {
        check(next_.size() < 0xffff, "too many words for one search");
        to = static_cast<std::uint16_t>(next_.size());
        at = to;  // before the table grows and `to` moves
        next_.emplace_back().fill(0);
        states_.emplace_back();
      } else {
        at = to;
      }
    }
    if (at != 0) states_[at].word = static_cast<std::int32_t>(w);
  }
  // Breadth first: a state falls back to the longest end of its text that is a state as well.
  std::vector<std::uint16_t> back(next_.size(), 0), queue;
  first_hit_.assign(next_.size(), 0);
  for (const std::uint16_t s : next_[0]) {
    if (s != 0) queue.push_back(s);
  }
  for (std::size_t i = 0; i < queue.size(); ++i) {
    const std::uint16_t s = queue[i];
    states_[s].shorter = first_hit_[back[s]];
    first_hit_[s] = states_[s].word >= 0 ? s : states_[s].shorter;
    for (std::size_t c = 0; c < 256; ++c) {
      std::uint16_t& to = next_[s][c];
      const std::uint16_t fallback = next_[back[s]][c];
      if (to == 0) {
        to = fallback;
      } else {
        back[to] = fallback;
        queue.push_back(to);
      }
    }
  }
}

void WordSearch::scan(Bytes bytes, FunctionRef<void(int, std::size_t)> f) const {
  std::uint16_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    at = next_[at][std::to_integer<unsigned char>(bytes[i])];
    for (std::uint16_t hit = first_hit_[at]; hit != 0; hit = states_[hit].shorter) {
      const auto word = static_cast<std::size_t>(states_[hit].word);
      f(static_cast<int>(word), i + 1 - lengths_[word]);
    }
  }
}

}  // namespace thimble::gauge
