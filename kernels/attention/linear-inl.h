// The two loops of linear attention, for the instruction set of the including file. Blocks of tokens become f32 rows,
// padded with zeros, and meet the state in tiles of four rows by two vectors that stay in registers.
#pragma once

#include "kernels/attention/linear.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {

#define THIMBLE_LINEAR_ATTENTION(isa, type, name) extern const LinearAttentionKernel name;
#include "kernels/attention/linear_kernels.inc"
#undef THIMBLE_LINEAR_ATTENTION

namespace {

constexpr std::int64_t kTile = 4;  // rows of a tile

// n rows of `size` elements, as f32, to rows of `padded`, zeros behind; negative ones become zero if `relu`.
template <class T>
void widen_rows(const void* from, std::int64_t row, std::int64_t n, std::int64_t size, std::int64_t padded, bool relu,
                float* to) {
  const Vec least = set(relu ? 0.0f : -__builtin_huge_valf());
  for (std::int64_t i = 0; i < n; ++i, to += padded) {
    const T* x = static_cast<const T*>(from) + i * row;
    std::int64_t done = 0;
    for_vectors(
        size,
        [&](std::int64_t c) {
          store(hn::Max(load(x + c), least), to + c);
          done = c + kLanes;
        },
        [&](std::int64_t c, std::int64_t rest) {
          store(hn::Max(load_n(x + c, rest), least), to + c);  // the lanes behind are zero
          done = c + kLanes;
        });
    for (; done < padded; done += kLanes) store(set(0.0f), to + done);
  }
}

// y[r][c..] (+)= sum_i a[i * a_step + r * a_row] * b[i * b_row + c..], r in [0, kTile), two vectors of columns.
THIMBLE_INLINE void tile(const float* a, std::int64_t a_step, std::int64_t a_row, const float* b, std::int64_t b_row,
                         std::int64_t n, Vec (&y)[kTile][2]) {
  for (std::int64_t i = 0; i < n; ++i) {
    const Vec b0 = load(b + i * b_row), b1 = load(b + i * b_row + kLanes);
    for (std::int64_t r = 0; r < kTile; ++r) {
      const Vec x = set(a[i * a_step + r * a_row]);
      y[r][0] = hn::MulAdd(x, b0, y[r][0]);
      y[r][1] = hn::MulAdd(x, b1, y[r][1]);
    }
  }
}

template <class T>
struct Linear {
  static void sum(const LinearAttentionTokens& t, float* state, float* block) {
    const std::int64_t D = linear_padded(t.head_size), V = linear_padded(t.value_size);
    float *keys = block, *values = block + kLinearBlock * D, *total = state + t.head_size * V;
    for (std::int64_t t0 = 0; t0 < t.tokens; t0 += kLinearBlock) {
      const std::int64_t n = t.tokens - t0 < kLinearBlock ? t.tokens - t0 : kLinearBlock;
      widen_rows<T>(static_cast<const T*>(t.x) + t0 * t.x_row, t.x_row, n, t.head_size, D, true, keys);
      widen_rows<T>(static_cast<const T*>(t.v) + t0 * t.v_row, t.v_row, n, t.value_size, V, false, values);
      for (std::int64_t d = 0; d < D; d += kLanes) {
        Vec z = load(total + d);
        for (std::int64_t i = 0; i < n; ++i) z = hn::Add(z, load(keys + i * D + d));
        store(z, total + d);
      }
      for (std::int64_t d = 0; d < t.head_size; d += kTile) {  // keys are padded: rows past the last are zero
        const std::int64_t rows = t.head_size - d < kTile ? t.head_size - d : kTile;
        for (std::int64_t c = 0; c < V; c += 2 * kLanes) {
          Vec y[kTile][2];
          for (std::int64_t r = 0; r < kTile; ++r) {
            for (std::int64_t j = 0; j < 2; ++j) {
              y[r][j] = r < rows ? load(state + (d + r) * V + c + j * kLanes) : set(0.0f);
            }
          }
          tile(keys + d, D, 1, values + c, V, n, y);
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t j = 0; j < 2; ++j) store(y[r][j], state + (d + r) * V + c + j * kLanes);
          }
        }
      }
    }
  }

  static void apply(const LinearAttentionTokens& t, const float* state, float* block) {
    const std::int64_t D = linear_padded(t.head_size), V = linear_padded(t.value_size);
    const float* total = state + t.head_size * V;
    for (std::int64_t t0 = 0; t0 < t.tokens; t0 += kLinearBlock) {
      const std::int64_t n = t.tokens - t0 < kLinearBlock ? t.tokens - t0 : kLinearBlock;
      widen_rows<T>(static_cast<const T*>(t.x) + t0 * t.x_row, t.x_row, n, t.head_size, D, true, block);
      for (std::int64_t i = n; i < (n + kTile - 1) / kTile * kTile; ++i) {
        for (std::int64_t d = 0; d < D; d += kLanes) store(set(0.0f), block + i * D + d);
      }
      for (std::int64_t i = 0; i < n; i += kTile) {
        const std::int64_t rows = n - i < kTile ? n - i : kTile;
        float inverse[kTile];
        for (std::int64_t r = 0; r < kTile; ++r) {
          Vec dot = set(0.0f);
          for (std::int64_t d = 0; d < D; d += kLanes) {
            dot = hn::MulAdd(load(block + (i + r) * D + d), load(total + d), dot);
          }
          inverse[r] = 1.0f / (sum_lanes(dot) + t.eps);
        }
        for (std::int64_t c = 0; c < t.value_size; c += 2 * kLanes) {
          Vec y[kTile][2];
          for (std::int64_t r = 0; r < kTile; ++r) y[r][0] = y[r][1] = set(0.0f);
          tile(block + i * D, 1, D, state + c, V, t.head_size, y);
          for (std::int64_t r = 0; r < rows; ++r) {
            T* out = static_cast<T*>(t.out) + (t0 + i + r) * t.out_row;
            for (std::int64_t j = 0; j < 2; ++j) {
              const std::int64_t at = c + j * kLanes, rest = t.value_size - at;
              const Vec v = hn::Mul(y[r][j], set(inverse[r]));
              if (rest >= kLanes) {
                store(v, out + at);
              } else if (rest > 0) {
                store_n(v, out + at, rest);
              }
            }
          }
        }
      }
    }
  }
};

template <class T>
constexpr LinearAttentionKernel linear_attention_row(Isa isa, DType type, std::string_view name) {
  return {isa, type, name, Linear<T>::sum, Linear<T>::apply};
}

}  // namespace
}  // namespace thimble::kernels
