#include "text/bpe_merge.h"

#include <functional>
#include <queue>
#include <tuple>

namespace thimble::text {
namespace {

struct Node {
  std::int32_t symbol;  // -1 once merged into the node to its left
  std::int32_t previous, next;
};

struct Candidate {
  std::int32_t rank, at, left, right, merged;
  bool operator>(const Candidate& o) const { return std::tie(rank, at) > std::tie(o.rank, o.at); }
};

}  // namespace

// A heap of candidate pairs over a linked list. A candidate is outdated when either symbol has changed since.
void merge_symbols(std::vector<std::int32_t>& symbols, const MergeTable& table) {
  const auto n = static_cast<std::int32_t>(symbols.size());
  if (n < 2) return;
  std::vector<Node> nodes(symbols.size());
  const auto node = [&](std::int32_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
  for (std::int32_t i = 0; i < n; ++i) node(i) = {symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1};

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto consider = [&](std::int32_t i) {
    if (i < 0 || node(i).next < 0) return;
    const std::int32_t left = node(i).symbol, right = node(node(i).next).symbol;
    if (const auto* e = table.find(left, right)) heap.push({e->rank, i, left, right, e->merged});
  };
  for (std::int32_t i = 0; i < n; ++i) consider(i);
  while (!heap.empty()) {
    const Candidate c = heap.top();
    heap.pop();
    Node& left = node(c.at);
    if (left.symbol != c.left || left.next < 0 || node(left.next).symbol != c.right) continue;
    Node& right = node(left.next);
    left.symbol = c.merged;
    left.next = right.next;
    right.symbol = -1;
    if (left.next >= 0) node(left.next).previous = c.at;
    consider(left.previous);
    consider(c.at);
  }
  symbols.clear();
  for (std::int32_t i = 0; i >= 0; i = node(i).next) symbols.push_back(node(i).symbol);
}

}  // namespace thimble::text
