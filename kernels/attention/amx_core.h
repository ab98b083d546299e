// The matrix products of attention on AMX bf16 tiles, over a tile engine, so that packing and indexing can be tested
// where there is no AMX: amx.cpp gives the instructions, attention_test.cpp tiles emulated in plain C++.
// A is K (keys by head size) for the scores and V^T (channels by keys) for the values; the other operand, in pairs, is
// q^T or the weights. Both products are the 32 x 32 tile loop of kernels/gemm/amx_tiles.h.
//   Engine: what amx_tiles.h wants, and begin(), end() around a thread's use, sync(): no memory access moves across.
#pragma once

#include "kernels/attention/generic.h"
#include "kernels/gemm/amx_tiles.h"

namespace thimble::kernels {
namespace {

template <class Engine>
struct AmxCore {
  using T = bf16;
  using Pair = std::uint32_t;  // two bf16, the lower one first
  static constexpr int kPanel = 32, kKeys = 128, kRows = kKeys + kKeys / 2, kPanels = 8;
  static constexpr std::int64_t kValueStride = kKeys + 32;        // 5 cache lines: rows do not fall into one set
  static constexpr std::int64_t kBlockPairs = 2 * kTileSize / 4;  // two tiles side by side: 32 deep, 32 queries

  AmxCore() { Engine::begin(); }
  ~AmxCore() { Engine::end(); }
  AmxCore(const AmxCore&) = delete;

  static std::int64_t deep(std::int64_t D) { return up_to(D, 32); }
  static std::int64_t key_stride(std::int64_t D) { return deep(D) + 32; }
  static std::int64_t q_bytes(std::int64_t D) { return deep(D) / 32 * kBlockPairs * 4; }
  static std::int64_t k_bytes(std::int64_t D) { return kKeys * key_stride(D) * 2; }
  static std::int64_t v_bytes(std::int64_t Dv) { return up_to(Dv, 32) * kValueStride * 2; }
  static std::int64_t o_rows(std::int64_t Dv) { return up_to(Dv, 32); }

  static void copy_row(const bf16* x, std::int64_t n, std::int64_t padded, bf16* out) {
    __builtin_memcpy(out, x, static_cast<std::size_t>(n) * sizeof(bf16));
    __builtin_memset(static_cast<void*>(out + n), 0, static_cast<std::size_t>(padded - n) * sizeof(bf16));
  }

  static void pack_q(const bf16* q, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    bf16 part[kPanel * 32];
    Pair* packed = static_cast<Pair*>(out);
    for (std::int64_t d = 0; d < D; d += 32, packed += kBlockPairs) {
      for (std::int64_t i = 0; i < kPanel; ++i) {
        copy_row(q + least(i, n - 1) * stride + d, least(32, D - d), 32, part + i * 32);
      }
      for (int half = 0; half < 2; ++half) {
        transpose_tile(reinterpret_cast<const Pair*>(part) + half * 256, 16, packed + half * 256, 16, 16, 16);
      }
    }
  }

  static const void* pack_k(const bf16* k, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    bf16* packed = static_cast<bf16*>(out);
    for (std::int64_t j = 0; j < n; ++j) copy_row(k + j * stride, D, deep(D), packed + j * key_stride(D));
    return out;
  }

  static const void* pack_v(const bf16* v, std::int64_t stride, std::int64_t n, std::int64_t Dv, void* out) {
    bf16* packed = static_cast<bf16*>(out);
    transpose_tile(reinterpret_cast<const std::uint16_t*>(v), stride, reinterpret_cast<std::uint16_t*>(packed),
                   kValueStride, Dv, n);
    for (std::int64_t d = 0; d < Dv; ++d) {
      __builtin_memset(static_cast<void*>(packed + d * kValueStride + n), 0,
                       static_cast<std::size_t>(up_to(n, 32) - n) * sizeof(bf16));
    }
    return out;
  }

  // out (rows, 32) of (rows, depth) times pairs, 32 rows at a time; whole tiles of 16 rows are read and written.
  static void product(const bf16* a, std::int64_t stride, const void* pairs, std::int64_t depth, std::int64_t rows,
                      float* out, bool accumulate) {
    Engine::sync();
    for (std::int64_t r = 0; r < rows; r += 32) {
      const auto tile = rows - r > 16 ? amx_tile<Engine, true, true> : amx_tile<Engine, false, true>;
      tile(reinterpret_cast<const char*>(a + r * stride), stride * 2, static_cast<const char*>(pairs), depth,
           out + r * kPanel, accumulate);
    }
    Engine::sync();
  }

  void scores(const void* q, const void* k, std::int64_t n, std::int64_t D, float* s) const {
    product(static_cast<const bf16*>(k), key_stride(D), q, deep(D), n, s, false);
  }

  static Vec exponent(Vec x) { return exp2_negative_coarse(x); }

  static float* pair_at(float* s, std::int64_t j, std::int64_t lane) {
    return s + kKeys * kPanel + j / 32 * kBlockPairs + lane / 16 * 256 + j % 32 / 2 * 16 + lane % 16;
  }

  static THIMBLE_INLINE void put_weights(Vec p0, Vec p1, std::int64_t j, std::int64_t lane, float* s) {
    const auto rounded = [](Vec p) {  // the upper half is bf16
      const auto u = hn::BitCast(kU, p);
      const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU, 1u));
      return hn::Add(u, hn::Add(odd, hn::Set(kU, 0x7fffu)));
    };
    const auto pair = hn::Or(hn::ShiftRight<16>(rounded(p0)), hn::And(rounded(p1), hn::Set(kU, 0xffff0000u)));
    store(hn::BitCast(kF, pair), pair_at(s, j, lane));
  }

  void accumulate(float* s, const void* v, std::int64_t n, std::int64_t Dv, float* o, bool first) const {
    for (std::int64_t j = up_to(n, 2); j < up_to(n, 32); j += 2) {
      for (std::int64_t lane = 0; lane < kPanel; lane += kLanes) store(set(0), pair_at(s, j, lane));
    }
    product(static_cast<const bf16*>(v), kValueStride, s + kKeys * kPanel, up_to(n, 32), Dv, o, !first);
  }
};

}  // namespace
}  // namespace thimble::kernels
