// int4 weights back to what micro-kernels multiply: bytes for W4A8, scaled floats for W4A16. Included by the ISA files
// only.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/qgemm/functions.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

// QgemmOps::unpack.
void unpack_nibbles(const std::uint8_t* blocks, std::int64_t count, std::int8_t* out) {
  for (std::int64_t b = 0; b < count; ++b, blocks += 64, out += 128) {
    for (int i = 0; i < 64; ++i) {
      out[i] = static_cast<std::int8_t>((blocks[i] & 15) - 8);
      out[i + 64] = static_cast<std::int8_t>((blocks[i] >> 4) - 8);
    }
  }
}

using WordVec = hn::Vec<UintTag>;
constexpr hn::Rebind<std::uint8_t, FloatTag> kNibbles{};

// Bits of the f32 nearest to v that has a bf16's mantissa, ties to even; v is finite.
THIMBLE_INLINE WordVec bf16_high(Vec v) {
  const WordVec u = hn::BitCast(kU, v), odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU, 1u));
  return hn::And(hn::Add(u, hn::Add(odd, hn::Set(kU, 0x7fffu))), hn::Set(kU, 0xffff0000u));
}
THIMBLE_INLINE void store_pair(Vec low, Vec high, std::uint32_t* out) {
  hn::StoreU(hn::Or(hn::ShiftRight<16>(bf16_high(low)), bf16_high(high)), kU, out);
}

// kLanes columns of one k, from `half` = 0 (columns below nr / 2) or 1.
template <int half>
THIMBLE_INLINE Vec weights_at(const std::uint8_t* nibbles, const float* scale) {
  const WordVec both = hn::PromoteTo(kU, hn::LoadU(kNibbles, nibbles));
  const WordVec u = half ? hn::ShiftRight<4>(both) : hn::And(both, hn::Set(kU, 15u));
  const auto v = hn::Sub(hn::BitCast(kI, u), hn::Set(kI, 8));
  return hn::Mul(hn::ConvertTo(kF, v), load(scale));
}

// A dequantize of functions.h. nr / 2 is a multiple of kLanes.
void dequantize_panel(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0,
                      std::int64_t k, int nr, WeightLayout layout, void* out) {
  const int half = nr / 2;
  auto* floats = static_cast<float*>(out);
  auto* words = static_cast<std::uint32_t*>(out);
  const bool pairs = layout == WeightLayout::bf16_pair || layout == WeightLayout::bf16_amx;
  for (std::int64_t i = 0; i < k; i += pairs ? 2 : 1) {
    const std::uint8_t* row = panel + (k0 + i) * half;
    const float* s = scale + (k0 + i) / group * nr;
    for (int j = 0; j < half; j += static_cast<int>(kLanes)) {
      const Vec left = weights_at<0>(row + j, s + j), right = weights_at<1>(row + j, s + half + j);
      if (layout == WeightLayout::f32_panel) {
        store(left, floats + i * nr + j);
        store(right, floats + i * nr + half + j);
      } else if (layout == WeightLayout::bf16_split) {
        store_pair(left, right, words + i * half + j);
      } else {  // k and k + 1 share a word, and are in one group
        const Vec next_left = weights_at<0>(row + half + j, s + j),
                  next_right = weights_at<1>(row + half + j, s + half + j);
        std::uint32_t* to = words + i / 2 * nr;
        std::int64_t to_right = half;
        if (layout == WeightLayout::bf16_amx) {  // tiles of 16 k pairs by 16 columns
          to = words + i / 32 * 16 * nr + i % 32 / 2 * 16;
          to_right = 256;
        }
        store_pair(left, next_left, to + j);
        store_pair(right, next_right, to + to_right + j);
      }
    }
  }
}

}  // namespace
}  // namespace thimble::kernels
