// The merging loop that all byte-pair encoders share. Not here: how text is cut into words and symbols.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace thimble::text {

// Which neighbours merge, in which order (smaller rank first), and into what.
class MergeTable {
 public:
  struct Entry {
    std::int32_t rank, merged;
  };

  void reserve(std::size_t n) { entries_.reserve(n); }
  // False, and nothing changes, when the pair is there already.
  bool insert(std::int32_t left, std::int32_t right, Entry entry) {
    return entries_.emplace(key(left, right), entry).second;
  }
  const Entry* find(std::int32_t left, std::int32_t right) const {
    const auto it = entries_.find(key(left, right));
    return it == entries_.end() ? nullptr : &it->second;
  }

 private:
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  std::unordered_map<std::uint64_t, Entry> entries_;
};

// Merges the symbols of one word until no neighbours are in the table: smallest rank first, leftmost among equals.
// A word of n symbols costs n log n. Symbols are >= 0 and fewer than 2^31.
void merge_symbols(std::vector<std::int32_t>& symbols, const MergeTable& table);

}  // namespace thimble::text
