// Permuted copies and pixel shuffles, as strided copies of the right strides.
#include <algorithm>

#include "kernels/reduce/copy.h"
#include "kernels/resample/resample.h"
#include "kernels/simd/strided.h"

namespace thimble::kernels {

void permute(int rank, const std::int64_t* shape, const int* order, const void* x, void* y, std::size_t element_size,
             ThreadPool& pool) noexcept {
  std::int64_t strides[8];
  contiguous_strides(rank, shape, strides);
  CopyArgs args{.rank = rank, .src = x, .dst = y, .element_size = element_size};
  for (int k = 0; k < rank; ++k) {
    args.shape[k] = shape[order[k]];
    args.src_strides[k] = strides[order[k]];
  }
  contiguous_strides(rank, args.shape, args.dst_strides);
  copy_strided(args, pool);
}

// Axes (batch, h, i, w, j, c) on the wide side and (batch, h, w, [c, i, j] or [i, j, c]) on the deep side.
void pixel_shuffle(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t channels, std::int64_t r,
                   ShuffleOrder order, const void* x, void* y, std::size_t element_size, ThreadPool& pool) noexcept {
  const std::int64_t torch[6] = {batch, h, w, channels, r, r}, depth[6] = {batch, h, w, r, r, channels};
  const int from_torch[6] = {0, 1, 4, 2, 5, 3}, from_depth[6] = {0, 1, 3, 2, 4, 5};
  const bool first = order == ShuffleOrder::channel_first;
  permute(6, first ? torch : depth, first ? from_torch : from_depth, x, y, element_size, pool);
}

void pixel_unshuffle(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t channels, std::int64_t r,
                     ShuffleOrder order, const void* x, void* y, std::size_t element_size, ThreadPool& pool) noexcept {
  const std::int64_t wide[6] = {batch, h, r, w, r, channels};
  const int to_torch[6] = {0, 1, 3, 5, 2, 4}, to_depth[6] = {0, 1, 3, 2, 4, 5};
  permute(6, wide, order == ShuffleOrder::channel_first ? to_torch : to_depth, x, y, element_size, pool);
}

}  // namespace thimble::kernels
