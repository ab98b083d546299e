#include <algorithm>
#include <limits>
#include <numeric>

#include "base/memory.h"
#include "runtime/plan.h"

namespace thimble::runtime {

std::size_t assign_arena(std::vector<PlanBuffer>& buffers) {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::erase_if(order, [&](std::size_t i) { return buffers[i].home == Home::fixed || buffers[i].first < 0; });
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  struct Taken {
    std::size_t begin, end;
  };
  std::vector<std::size_t> placed;
  std::vector<Taken> taken;
  std::size_t size = 0;
  for (std::size_t i : order) {
    PlanBuffer& b = buffers[i];
    const std::size_t bytes = round_up(std::max<std::size_t>(b.bytes, 1), 64);
    taken.clear();
    for (std::size_t j : placed) {
      const PlanBuffer& o = buffers[j];
      if (o.first <= b.last && b.first <= o.last)
        taken.push_back({o.offset, o.offset + round_up(std::max<std::size_t>(o.bytes, 1), 64)});
    }
    std::ranges::sort(taken, {}, &Taken::begin);
    std::size_t at = 0, best = std::numeric_limits<std::size_t>::max(), best_gap = best;
    for (const Taken& t : taken) {
      if (t.begin >= at + bytes && t.begin - at < best_gap) {
        best = at;
        best_gap = t.begin - at;
      }
      at = std::max(at, t.end);
    }
    b.offset = best_gap == std::numeric_limits<std::size_t>::max() ? at : best;
    size = std::max(size, b.offset + bytes);
    placed.push_back(i);
  }
  return size;
}

}  // namespace thimble::runtime
