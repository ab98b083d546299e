// Copies that change the place of elements and not their value: strided boxes (slice, concat, pad, permute,
// broadcast), fills, and rows gathered by index (embeddings). Elements of 1, 2, 4 or 8 bytes.
// Bound by memory: one portable source serves every ISA.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/threads.h"

namespace thimble::kernels {

// dst[sum i_k dst_strides[k]] = src[sum i_k src_strides[k]] for every index of `shape` (rank <= 8; strides in
// elements, a source stride of 0 broadcasts, negative source strides reverse). src and dst do not overlap.
//   slice:  src offset to the first element; concat: one call per part, dst offset; pad: fill, then one call.
struct CopyArgs {
  int rank = 0;
  std::int64_t shape[8] = {};
  const void* src = nullptr;
  void* dst = nullptr;
  std::int64_t src_strides[8] = {}, dst_strides[8] = {};
  std::size_t element_size = 4;
};

void copy_strided(const CopyArgs& args, ThreadPool& pool) noexcept;

// n elements, each the `element_size` bytes at `value`.
void fill(void* dst, std::int64_t n, const void* value, std::size_t element_size, ThreadPool& pool) noexcept;

// dst row i = table row index[i], rows of `row_bytes`. An index outside [0, table_rows) is moved to the nearer end.
void gather_rows(const void* table, std::int64_t table_rows, std::size_t row_bytes, const std::int32_t* index,
                 std::int64_t n, void* dst, ThreadPool& pool) noexcept;
void gather_rows(const void* table, std::int64_t table_rows, std::size_t row_bytes, const std::int64_t* index,
                 std::int64_t n, void* dst, ThreadPool& pool) noexcept;

}  // namespace thimble::kernels
