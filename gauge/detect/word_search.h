// Finds any of some hundred words in bytes in one pass: the automaton of Aho and Corasick (1975), with all transitions
// worked out beforehand.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/threads.h"
#include "gauge/bytes.h"

namespace thimble::gauge {

class WordSearch {
 public:
  // Words are numbered as given; empty ones are never found. Their lengths add up to less than 65,000 bytes.
  explicit WordSearch(const std::vector<std::string_view>& words);

  // Calls f(word, begin) for every occurrence, overlapping ones too, in the order in which they end.
  void scan(Bytes bytes, FunctionRef<void(int word, std::size_t begin)> f) const;

 private:
  struct State {
    std::int32_t word = -1;     // that ends here
    std::uint16_t shorter = 0;  // the next state on the way back whose word ends here too; 0: none
  };
  std::vector<std::array<std::uint16_t, 256>> next_;
  std::vector<State> states_;
  std::vector<std::uint16_t> first_hit_;  // of each state: itself or the nearest on the way back with a word, 0: none
  std::vector<std::size_t> lengths_;
};

}  // namespace thimble::gauge
