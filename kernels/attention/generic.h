// The attention algorithm, once: everything but the two matrix products, which a Core supplies.
//
// Queries lie across vector lanes. A panel of kPanel queries is packed as q^T (D, kPanel); a block of kKeys keys gives
// scores s^T (kKeys, kPanel) and joins out^T (Dv, kPanel). So the running maximum and sum of a query stay in its lane,
// nothing is added across lanes, and K and V are read by broadcasting single elements, in their own order.
//
// Core:
//   T                              element type in memory
//   kPanel, kKeys, kPanels         queries of a panel, keys of a block, panels of one call
//   kRows                          rows of s
//   q_bytes(D), k_bytes(D), v_bytes(Dv)  packed sizes
//   pack_q(q, stride, n, D, out)   the first n queries of a panel; the rest may hold anything finite
//   pack_k(k, stride, n, D, out), pack_v(...): n keys; each returns what scores and accumulate want
//   scores(q, k, n, D, s)          s[j][lane] = q[lane] . k[j], j < n
//   put_weights(p0, p1, j, lane, s)  keeps the softmax weights of keys j and j + 1 (j even) for `accumulate`, in s:
//                                  in rows up to j + 1, which have been read, or behind row kKeys
//   exponent(x)                    2^x
//   accumulate(s, v, n, Dv, o, first)  o[d][lane] = (first ? 0 : o[d][lane]) + sum_j weight[j][lane] v[j][d], d < Dv
//   o_rows(Dv)                     rows of out^T that accumulate may write
// A Core object lives while its products are made: it may hold a state of the thread.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/simd/math.h"
#include "kernels/simd/transpose.h"

namespace thimble::kernels {

#define THIMBLE_ATTENTION(isa, type, name) extern const AttentionKernel name;
#include "kernels/attention/kernels.inc"
#undef THIMBLE_ATTENTION

namespace {

constexpr float kHidden = -1e30f;  // lower bound of the running maximum: a query under it sees nothing

constexpr std::int64_t up_to(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }
THIMBLE_INLINE std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

THIMBLE_INLINE void transpose_floats(const float* src, std::int64_t src_row, float* dst, std::int64_t dst_row,
                                     std::int64_t rows, std::int64_t columns) {
  transpose_tile(reinterpret_cast<const std::uint32_t*>(src), src_row, reinterpret_cast<std::uint32_t*>(dst), dst_row,
                 rows, columns);
}

// A thread's scratch, cut into 64-byte aligned parts.
template <class Core>
struct Parts {
  char* q;  // kPanels packed panels
  char* k;
  char* v;
  float* s;     // (kRows, kPanel)
  float* mask;  // (kKeys, kPanel)
  float* o;     // kPanels of (Dv, kPanel)
  float* rows;  // (kPanel, Dv), one panel of results before rounding
  float* top;   // kPanels of kPanel running maxima, in units of log2
  float* sum;
  std::int64_t q_size, o_size, bytes;

  Parts(const AttentionArgs& a, void* scratch) {
    std::int64_t used = 0;
    char* base = static_cast<char*>(scratch);
    const auto take = [&](std::int64_t size) {
      char* p = base + used;
      used += up_to(size, 64);
      return p;
    };
    const auto floats = [&](std::int64_t n) { return reinterpret_cast<float*>(take(n * 4)); };
    q_size = up_to(Core::q_bytes(a.head_size), 64);
    o_size = up_to(Core::o_rows(a.value_size) * Core::kPanel, 16);
    q = take(Core::kPanels * q_size);
    k = take(Core::k_bytes(a.head_size));
    v = take(Core::v_bytes(a.value_size));
    s = floats(Core::kRows * Core::kPanel);
    mask = floats(Core::kKeys * Core::kPanel);
    o = floats(Core::kPanels * o_size);
    rows = floats(Core::kPanel * a.value_size);
    top = floats(Core::kPanels * Core::kPanel);
    sum = floats(Core::kPanels * Core::kPanel);
    bytes = used;
  }
};

// The keys [k0, k0 + nk) and queries [q0, q0 + nq) that one score tile stands for.
struct ScoreTile {
  std::int64_t b, h, q0, nq, k0, nk;
};

// Turns s into scale * log2(e) * s + mask * log2(e), hidden keys into -inf. Returns the factor that s still lacks.
template <class Core>
THIMBLE_INLINE float apply_masks(const AttentionArgs& a, const ScoreTile& t, float* s, float* buffer) {
  constexpr std::int64_t P = Core::kPanel;
  float factor = a.scale * kLog2e;
  const Vec never = set(-kInfinity);
  if (a.mask != nullptr) {
    const float* m =
        a.mask + t.b * a.mask_stride_b + t.h * a.mask_stride_h + t.q0 * a.mask_stride_q + t.k0 * a.mask_stride_k;
    const bool per_query = a.mask_stride_q != 0;
    if (per_query && a.mask_stride_k == 1) {
      transpose_floats(m, a.mask_stride_q, buffer, P, t.nk, t.nq);
    } else if (per_query) {
      for (std::int64_t j = 0; j < t.nk; ++j) {
        for (std::int64_t i = 0; i < t.nq; ++i) buffer[j * P + i] = m[i * a.mask_stride_q + j * a.mask_stride_k];
      }
    }
    const Vec f = set(factor), log2e = set(kLog2e);
    for (std::int64_t j = 0; j < t.nk; ++j) {
      const Vec shared = per_query ? set(0) : set(m[j * a.mask_stride_k]);
      for (std::int64_t i = 0; i < P; i += kLanes) {
        const Vec add = hn::Mul(per_query ? load(buffer + j * P + i) : shared, log2e);
        store(hn::MulAdd(load(s + j * P + i), f, add), s + j * P + i);
      }
    }
    factor = 1;
  }
  if (a.key_mask != nullptr) {
    const std::uint8_t* seen = a.key_mask + t.b * a.key_mask_stride + t.k0;
    for (std::int64_t j = 0; j < t.nk; ++j) {
      if (seen[j] != 0) continue;
      for (std::int64_t i = 0; i < P; i += kLanes) store(never, s + j * P + i);
    }
  }
  if (a.causal && t.k0 + t.nk - 1 > t.q0 + a.causal_offset) {
    // Lane i sees key j when i >= (k0 + j) - causal_offset - q0.
    const Vec lanes = hn::Iota(kF, 0.0f);
    for (std::int64_t j = 0; j < t.nk; ++j) {
      const std::int64_t from = t.k0 + j - a.causal_offset - t.q0;
      const float first = static_cast<float>(from < 0 ? 0 : from > P ? P : from);
      for (std::int64_t i = 0; i < P; i += kLanes) {
        const Vec lane = hn::Add(lanes, set(static_cast<float>(i)));
        store(hn::IfThenElse(hn::Ge(lane, set(first)), load(s + j * P + i), never), s + j * P + i);
      }
    }
  }
  return factor;
}

// Scores to weights 2^(factor s - top), with top and sum brought up to date and o rescaled to the new top.
template <class Core>
THIMBLE_INLINE void soften(float* s, std::int64_t nk, float factor, float* top, float* sum, float* o, std::int64_t Dv,
                           bool first) {
  constexpr std::int64_t P = Core::kPanel;
  constexpr int kVecs = P / kLanes;
  Vec largest[kVecs], total[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    largest[v] = set(-kInfinity);
    total[v] = set(0);
  }
  for (std::int64_t j = 0; j < nk; ++j) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) largest[v] = hn::Max(largest[v], load(s + j * P + v * kLanes));
  }
  const Vec f = set(factor);
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    const Vec before = load(top + v * kLanes);
    largest[v] = hn::Max(before, hn::Mul(largest[v], f));
    store(largest[v], top + v * kLanes);
    if (first || hn::AllTrue(kF, hn::Eq(before, largest[v]))) continue;
    const Vec shrink = Core::exponent(hn::Sub(before, largest[v]));
    store(hn::Mul(load(sum + v * kLanes), shrink), sum + v * kLanes);
    for (std::int64_t d = 0; d < Dv; ++d) {
      float* p = o + d * P + v * kLanes;
      store(hn::Mul(load(p), shrink), p);
    }
  }
  const auto weight = [&](std::int64_t j, int v) __attribute__((always_inline)) {
    const Vec w = Core::exponent(hn::MulSub(load(s + j * P + v * kLanes), f, largest[v]));
    total[v] = hn::Add(total[v], w);
    return w;
  };
  std::int64_t j = 0;
  for (; j + 2 <= nk; j += 2) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const Vec w0 = weight(j, v), w1 = weight(j + 1, v);
      Core::put_weights(w0, w1, j, v * kLanes, s);
    }
  }
  if (j < nk) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) Core::put_weights(weight(j, v), set(0), j, v * kLanes, s);
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    float* p = sum + v * kLanes;
    store(first ? total[v] : hn::Add(load(p), total[v]), p);
  }
}

// o^T / sum to rows of out; a sum of zero gives zeros.
template <class Core>
THIMBLE_INLINE void write_out(float* o, const float* sum, std::int64_t nq, std::int64_t Dv, typename Core::T* out,
                              std::int64_t stride, float* rows) {
  constexpr std::int64_t P = Core::kPanel;
  for (std::int64_t i = 0; i < P; i += kLanes) {
    const Vec total = load(sum + i);
    const Vec inverse = hn::IfThenZeroElse(hn::Eq(total, set(0)), hn::Div(set(1), total));
    for (std::int64_t d = 0; d < Dv; ++d) store(hn::Mul(load(o + d * P + i), inverse), o + d * P + i);
  }
  if constexpr (sizeof(typename Core::T) == 4) {
    transpose_floats(o, P, out, stride, nq, Dv);
  } else {
    transpose_floats(o, P, rows, Dv, nq, Dv);
    for (std::int64_t i = 0; i < nq; ++i) {
      for_vectors(
          Dv, [&](std::int64_t d) { store(load(rows + i * Dv + d), out + i * stride + d); },
          [&](std::int64_t d, std::int64_t left) {
            store_n(load_n(rows + i * Dv + d, left), out + i * stride + d, left);
          });
    }
  }
}

// AttentionKernel::block.
template <class Core>
void attention_block(const AttentionArgs& a, std::int64_t b, std::int64_t h, std::int64_t q_begin, std::int64_t q_count,
                     void* scratch) {
  using T = typename Core::T;
  constexpr std::int64_t P = Core::kPanel;
  const Parts<Core> parts(a, scratch);
  const std::int64_t D = a.head_size, Dv = a.value_size, kv = h / (a.heads / a.kv_heads);
  const T* q = static_cast<const T*>(a.q) + b * a.q_strides.batch + h * a.q_strides.head + q_begin * a.q_strides.token;
  const T* k = static_cast<const T*>(a.k) + b * a.k_strides.batch + kv * a.k_strides.head;
  const T* v = static_cast<const T*>(a.v) + b * a.v_strides.batch + kv * a.v_strides.head;
  T* out = static_cast<T*>(a.out) + b * a.out_strides.batch + h * a.out_strides.head + q_begin * a.out_strides.token;

  const std::int64_t panels = (q_count + P - 1) / P;
  const auto queries = [&](std::int64_t p) { return least(P, q_count - p * P); };
  for (std::int64_t p = 0; p < panels; ++p) {
    Core::pack_q(q + p * P * a.q_strides.token, a.q_strides.token, queries(p), D, parts.q + p * parts.q_size);
  }
  for (std::int64_t i = 0; i < panels * P; i += kLanes) {
    store(set(kHidden), parts.top + i);
    store(set(0), parts.sum + i);
  }

  const std::int64_t last = q_begin + q_count - 1;
  std::int64_t seen = a.key_lengths == nullptr ? a.k_len : least(a.k_len, a.key_lengths[b]);
  if (a.causal) seen = least(seen, last + a.causal_offset + 1);
  if (seen <= 0) {
    for (std::int64_t p = 0; p < panels; ++p) {
      float* o = parts.o + p * parts.o_size;
      for (std::int64_t i = 0; i < Dv * P; i += kLanes) store(set(0), o + i);
    }
  }
  const Core core;
  for (std::int64_t k0 = 0; k0 < seen; k0 += Core::kKeys) {
    const std::int64_t nk = least(Core::kKeys, seen - k0);
    const void* packed_k = Core::pack_k(k + k0 * a.k_strides.token, a.k_strides.token, nk, D, parts.k);
    const auto packed_v = Core::pack_v(v + k0 * a.v_strides.token, a.v_strides.token, nk, Dv, parts.v);
    for (std::int64_t p = 0; p < panels; ++p) {
      const ScoreTile tile{b, h, q_begin + p * P, queries(p), k0, nk};
      if (k0 > 0 && a.causal && k0 > tile.q0 + tile.nq - 1 + a.causal_offset) continue;
      float* o = parts.o + p * parts.o_size;
      core.scores(parts.q + p * parts.q_size, packed_k, nk, D, parts.s);
      const float factor = apply_masks<Core>(a, tile, parts.s, parts.mask);
      soften<Core>(parts.s, nk, factor, parts.top + p * P, parts.sum + p * P, o, Dv, k0 == 0);
      core.accumulate(parts.s, packed_v, nk, Dv, o, k0 == 0);
    }
  }
  for (std::int64_t p = 0; p < panels; ++p) {
    write_out<Core>(parts.o + p * parts.o_size, parts.sum + p * P, queries(p), Dv, out + p * P * a.out_strides.token,
                    a.out_strides.token, parts.rows);
  }
}

template <class Core>
std::size_t attention_scratch(const AttentionArgs& a) {
  alignas(64) char base[64];
  return static_cast<std::size_t>(Parts<Core>(a, base).bytes);
}

template <class Core>
constexpr AttentionKernel attention_row(Isa isa, DType type, std::string_view name) {
  return {isa, type, name, Core::kPanel, Core::kPanel * Core::kPanels, attention_scratch<Core>, attention_block<Core>};
}

}  // namespace
}  // namespace thimble::kernels
