// Walking several strided operands over one index space: axes are merged where all operands allow it, so that most
// broadcasts and slices become one long run or a few rows. Plain portable code, used outside the ISA files.
#pragma once

#include <cstdint>

namespace thimble::kernels {

inline constexpr int kStridedRank = 8;

template <int kOperands>
struct Strided {
  int rank = 0;
  std::int64_t shape[kStridedRank] = {};
  std::int64_t strides[kOperands][kStridedRank] = {};

  // Drops axes of size one and merges neighbours; afterwards rank >= 1. Order of axes is kept.
  void collapse() {
    int out = 0;
    for (int k = 0; k < rank; ++k) {
      if (shape[k] == 1) continue;
      bool merges = out > 0;
      for (int o = 0; merges && o < kOperands; ++o) merges = strides[o][out - 1] == strides[o][k] * shape[k];
      const int to = merges ? out - 1 : out++;
      shape[to] = merges ? shape[to] * shape[k] : shape[k];
      for (int o = 0; o < kOperands; ++o) strides[o][to] = strides[o][k];
    }
    rank = out;
    if (rank == 0) {
      rank = 1;
      shape[0] = 1;
      for (int o = 0; o < kOperands; ++o) strides[o][0] = 0;
    }
  }

  std::int64_t size() const {
    std::int64_t n = 1;
    for (int k = 0; k < rank; ++k) n *= shape[k];
    return n;
  }
};

// Position in the leading `rank` axes of a Strided, with the operands' offsets kept up to date.
template <int kOperands>
struct Cursor {
  const Strided<kOperands>& space;
  int rank;
  std::int64_t index[kStridedRank] = {};
  std::int64_t offset[kOperands] = {};

  Cursor(const Strided<kOperands>& s, int leading, std::int64_t linear) : space(s), rank(leading) {
    for (int k = rank - 1; k >= 0; --k) {
      index[k] = linear % s.shape[k];
      linear /= s.shape[k];
      for (int o = 0; o < kOperands; ++o) offset[o] += index[k] * s.strides[o][k];
    }
  }

  void next() {
    for (int k = rank - 1; k >= 0; --k) {
      for (int o = 0; o < kOperands; ++o) offset[o] += space.strides[o][k];
      if (++index[k] < space.shape[k]) return;
      for (int o = 0; o < kOperands; ++o) offset[o] -= space.shape[k] * space.strides[o][k];
      index[k] = 0;
    }
  }
};

inline void contiguous_strides(int rank, const std::int64_t* shape, std::int64_t* strides) {
  std::int64_t n = 1;
  for (int k = rank - 1; k >= 0; --k) {
    strides[k] = n;
    n *= shape[k];
  }
}

}  // namespace thimble::kernels
