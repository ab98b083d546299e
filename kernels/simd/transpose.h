// Transposes of tiles of 1, 2, 4 or 8 byte elements with the compiler's own 16-byte vectors, so that one source serves
// portable files and ISA files alike. Everything is in an unnamed namespace, for the reason given in simd.h.
#pragma once

#include <cstdint>

namespace thimble::kernels {
namespace {

template <class T>
inline T read_as(const void* p) {
  T v;
  __builtin_memcpy(&v, p, sizeof(T));
  return v;
}
template <class T>
inline void write_as(T v, void* p) {
  __builtin_memcpy(p, &v, sizeof(T));
}

// Transposes kSide x kSide elements with 16-byte vectors: dst[i * dst_row + j] = src[j * src_row + i], rows in
// elements. The compiler turns each shuffle into one unpack or zip instruction on x86-64 and aarch64 baselines.
typedef std::uint32_t Four __attribute__((vector_size(16)));
typedef std::uint16_t Eight __attribute__((vector_size(16)));

inline void transpose_square(const std::uint32_t* src, std::int64_t src_row, std::uint32_t* dst, std::int64_t dst_row) {
  const auto a = read_as<Four>(src), b = read_as<Four>(src + src_row), c = read_as<Four>(src + 2 * src_row),
             d = read_as<Four>(src + 3 * src_row);
  constexpr Four kLow = {0, 4, 1, 5}, kHigh = {2, 6, 3, 7};
  const Four ac0 = __builtin_shuffle(a, c, kLow), ac1 = __builtin_shuffle(a, c, kHigh);
  const Four bd0 = __builtin_shuffle(b, d, kLow), bd1 = __builtin_shuffle(b, d, kHigh);
  write_as(__builtin_shuffle(ac0, bd0, kLow), dst);
  write_as(__builtin_shuffle(ac0, bd0, kHigh), dst + dst_row);
  write_as(__builtin_shuffle(ac1, bd1, kLow), dst + 2 * dst_row);
  write_as(__builtin_shuffle(ac1, bd1, kHigh), dst + 3 * dst_row);
}

inline void transpose_square(const std::uint16_t* src, std::int64_t src_row, std::uint16_t* dst, std::int64_t dst_row) {
  constexpr Eight kLow = {0, 8, 1, 9, 2, 10, 3, 11}, kHigh = {4, 12, 5, 13, 6, 14, 7, 15};
  Eight row[8], next[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) row[j] = read_as<Eight>(src + j * src_row);
#pragma GCC unroll 3
  for (int round = 0; round < 3; ++round) {  // a perfect shuffle of rows, three times, is the transpose
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      next[2 * j] = __builtin_shuffle(row[j], row[j + 4], kLow);
      next[2 * j + 1] = __builtin_shuffle(row[j], row[j + 4], kHigh);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) row[j] = next[j];
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) write_as(row[i], dst + i * dst_row);
}

template <class T>
inline void transpose_square(const T* src, std::int64_t src_row, T* dst, std::int64_t dst_row) {
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) write_as(read_as<T>(src + j * src_row + i), dst + i * dst_row + j);
  }
}

// dst[i * dst_row + j] = src[j * src_row + i] for i < rows, j < columns.
template <class T>
inline void transpose_tile(const T* src, std::int64_t src_row, T* dst, std::int64_t dst_row, std::int64_t rows,
                           std::int64_t columns) {
  constexpr std::int64_t kSide = sizeof(T) == 2 ? 8 : 4;
  const std::int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  for (std::int64_t i = 0; i < whole_rows; i += kSide) {
    for (std::int64_t j = 0; j < whole_columns; j += kSide) {
      transpose_square(src + j * src_row + i, src_row, dst + i * dst_row + j, dst_row);
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = i < whole_rows ? whole_columns : 0; j < columns; ++j) {
      write_as(read_as<T>(src + j * src_row + i), dst + i * dst_row + j);
    }
  }
}

}  // namespace
}  // namespace thimble::kernels
