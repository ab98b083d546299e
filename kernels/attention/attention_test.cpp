// Attention against a double softmax over stored scores: every row this machine can run, head sizes, lengths, masks,
// strides, and thread counts. The AMX kernel is tested everywhere with emulated tiles.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/attention/amx_core.h"
#include "kernels/gemm/amx_emulated.h"
#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

using testing::Buffer;
using testing::fill_random;
using testing::value_of;

struct Emulated : EmulatedTiles {
  static void begin() {}
  static void end() {}
  static void sync() {}
};
constexpr AttentionKernel kEmulatedAmx =
    attention_row<AmxCore<Emulated>>(Isa::scalar, DType::bf16, "attention_bf16_amx_emulated");

template <class F>
void for_rows(F f) {
  f(bf16{}, kEmulatedAmx);
  for (const auto* row : attention_kernels()) {
    if (!supports(cpu(), row->isa)) continue;
    row->type == DType::f32 ? f(float{}, *row) : f(bf16{}, *row);
  }
}

struct Scratch {
  Scratch(const AttentionKernel& kernel, const AttentionArgs& a, int threads)
      : bytes(attention_scratch_bytes(kernel, a) * static_cast<std::size_t>(threads)),
        data(bytes / 4 + 32, -HUGE_VALF) {
    const auto at = reinterpret_cast<std::uintptr_t>(data.data());
    start = reinterpret_cast<void*>((at + 63) & ~std::uintptr_t{63});
    end = reinterpret_cast<float*>(static_cast<char*>(start) + bytes);
  }
  bool guard_holds() const { return *end == -HUGE_VALF; }
  std::size_t bytes;
  std::vector<float> data;  // starts as -inf: whatever is read before it is written shows
  void* start;
  float* end;
};

// Softmax of one query in double; empty if it sees nothing.
template <class T>
std::vector<double> exact_row(const AttentionArgs& a, std::int64_t b, std::int64_t h, std::int64_t i) {
  const T* q = static_cast<const T*>(a.q) + b * a.q_strides.batch + h * a.q_strides.head + i * a.q_strides.token;
  const std::int64_t kv = h / (a.heads / a.kv_heads);
  std::vector<double> s(static_cast<std::size_t>(a.k_len), -HUGE_VAL);
  double top = -HUGE_VAL;
  for (std::int64_t j = 0; j < a.k_len; ++j) {
    if (a.causal && j > i + a.causal_offset) continue;
    if (a.key_lengths != nullptr && j >= a.key_lengths[b]) continue;
    if (a.key_mask != nullptr && a.key_mask[b * a.key_mask_stride + j] == 0) continue;
    const T* k = static_cast<const T*>(a.k) + b * a.k_strides.batch + kv * a.k_strides.head + j * a.k_strides.token;
    double dot = 0;
    for (std::int64_t d = 0; d < a.head_size; ++d) dot += value_of(q[d]) * value_of(k[d]);
    s[j] = dot * static_cast<double>(a.scale);
    if (a.mask != nullptr) {
      s[j] += static_cast<double>(
          a.mask[b * a.mask_stride_b + h * a.mask_stride_h + i * a.mask_stride_q + j * a.mask_stride_k]);
    }
    top = std::max(top, s[j]);
  }
  std::vector<double> out(static_cast<std::size_t>(a.value_size), 0.0);
  if (top < -1e29) return out;
  double sum = 0;
  for (double& v : s) sum += v = std::exp(v - top);
  for (std::int64_t j = 0; j < a.k_len; ++j) {
    const T* v = static_cast<const T*>(a.v) + b * a.v_strides.batch + kv * a.v_strides.head + j * a.v_strides.token;
    for (std::int64_t d = 0; d < a.value_size; ++d) out[d] += s[j] / sum * value_of(v[d]);
  }
  return out;
}

// f32: a few roundings of scores of size up to 30. bf16: weights and results are rounded to 8 bits.
template <class T>
void compare(const AttentionKernel& kernel, const AttentionArgs& a, const char* what) {
  const double slack = sizeof(T) == 4 ? 1e-5 : 1.0 / 128;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    for (std::int64_t h = 0; h < a.heads; ++h) {
      for (std::int64_t i = 0; i < a.q_len; ++i) {
        const std::vector<double> e = exact_row<T>(a, b, h, i);
        const T* o =
            static_cast<const T*>(a.out) + b * a.out_strides.batch + h * a.out_strides.head + i * a.out_strides.token;
        for (std::int64_t d = 0; d < a.value_size; ++d) {
          ASSERT_NEAR(value_of(o[d]), e[d], slack * (1 + std::abs(e[d])))
              << kernel.name << " " << what << ": Tq " << a.q_len << " Tk " << a.k_len << " D " << a.head_size << " Dv "
              << a.value_size << " b " << b << " h " << h << " query " << i << " channel " << d;
        }
      }
    }
  }
}

// q, k and v as slices of one fused (B, T, (Hq + Hkv) * D + Hkv * Dv) tensor when the lengths agree.
template <class T>
struct Problem {
  Problem(std::int64_t B, std::int64_t Tq, std::int64_t Tk, std::int64_t H, std::int64_t Hkv, std::int64_t D,
          std::int64_t Dv, std::int64_t shift = 1)
      : q(B * Tq * H * D, shift), k(B * Tk * Hkv * D, shift), v(B * Tk * Hkv * Dv, shift), out(B * Tq * H * Dv, 3) {
    fill_random(q, 1);
    fill_random(k, 2);
    fill_random(v, 3);
    a.batch = B, a.q_len = Tq, a.k_len = Tk, a.heads = H, a.kv_heads = Hkv, a.head_size = D, a.value_size = Dv;
    a.q = q.data(), a.k = k.data(), a.v = v.data(), a.out = out.data();
    a.q_strides = packed_heads(Tq, H, D), a.k_strides = packed_heads(Tk, Hkv, D);
    a.v_strides = packed_heads(Tk, Hkv, Dv), a.out_strides = packed_heads(Tq, H, Dv);
    a.scale = 1.5f / std::sqrt(static_cast<float>(D));
  }
  void run(const AttentionKernel& kernel, ThreadPool& pool, const char* what) {
    Scratch scratch(kernel, a, pool.threads());
    attention(kernel, a, pool, scratch.start);
    compare<T>(kernel, a, what);
    ASSERT_TRUE(out.guards_hold() && scratch.guard_holds()) << kernel.name << " " << what;
  }
  Buffer<T> q, k, v, out;
  AttentionArgs a;
};

TEST(Attention, EveryHeadSizeAndLength) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    for (std::int64_t D = 1; D <= 80; ++D) Problem<T>(1, 5, 51, 2, 2, D, 81 - D).run(kernel, pool, "sizes");
    for (std::int64_t D : {88, 96, 128, 160, 255, 256, 257, 320, 512}) {
      Problem<T>(1, 9, 30, 1, 1, D, D).run(kernel, pool, "long heads");
    }
    for (std::int64_t T1 : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 200}) {
      for (std::int64_t T2 : {1, 2, 31, 32, 33, 47, 48, 49, 64, 65, 77, 97, 130}) {
        Problem<T>(1, T1, T2, 1, 1, 8, 8).run(kernel, pool, "lengths");
      }
    }
  });
}

TEST(Attention, BatchesAndSharedKeyHeads) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    Problem<T>(2, 33, 40, 6, 2, 40, 24).run(kernel, pool, "two key heads");
    Problem<T>(3, 7, 70, 4, 1, 16, 16).run(kernel, pool, "one key head");
  });
}

TEST(Attention, SlicesOfAFusedTensorAndHeadsFirst) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    const std::int64_t B = 2, N = 37, H = 3, D = 20, row = 3 * H * D;
    Buffer<T> qkv(B * N * row, 1);
    fill_random(qkv, 5);
    Problem<T> p(B, N, N, H, H, D, D);
    p.a.q = qkv.data(), p.a.k = qkv.data() + H * D, p.a.v = qkv.data() + 2 * H * D;
    p.a.q_strides = p.a.k_strides = p.a.v_strides = {N * row, row, D};
    p.a.out_strides = {H * N * D, D, N * D};  // (B, H, T, D)
    p.run(kernel, pool, "fused");
  });
}

TEST(Attention, AdditiveMasksOfAllBroadcasts) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    const std::int64_t B = 2, H = 3, Tq = 35, Tk = 53;
    Buffer<float> mask(B * H * Tq * Tk, 1);
    fill_random(mask, 8, 2);
    for (std::int64_t i = 0; i < mask.size(); i += 7) mask[i] = -HUGE_VALF;
    for (int bits = 0; bits < 16; ++bits) {
      Problem<T> p(B, Tq, Tk, H, H, 12, 12);
      p.a.mask = mask.data();
      p.a.mask_stride_k = (bits & 1) != 0 ? 1 : 0;
      p.a.mask_stride_q = (bits & 2) != 0 ? Tk : 0;
      p.a.mask_stride_h = (bits & 4) != 0 ? Tq * Tk : 0;
      p.a.mask_stride_b = (bits & 8) != 0 ? H * Tq * Tk : 0;
      p.run(kernel, pool, "mask");
    }
    Problem<T> p(1, Tq, Tk, 1, 1, 12, 12);
    p.a.mask = mask.data();
    p.a.mask_stride_k = Tq;  // a transposed mask
    p.a.mask_stride_q = 1;
    p.run(kernel, pool, "transposed mask");
  });
}

TEST(Attention, CausalAndKeyMasks) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    for (std::int64_t offset : {0, 1, -3, 40, 200, -150}) {
      Problem<T> p(1, 150, 130, 2, 2, 16, 16);
      p.a.causal = true;
      p.a.causal_offset = offset;
      p.run(kernel, pool, "causal");
    }
    Problem<T> p(2, 40, 100, 1, 1, 16, 16);
    std::vector<std::uint8_t> seen(200, 1);
    for (std::size_t i = 0; i < seen.size(); i += 3) seen[i] = 0;
    std::fill(seen.begin(), seen.begin() + 60, 0);  // a whole block of keys
    p.a.key_mask = seen.data();
    p.a.key_mask_stride = 100;
    p.run(kernel, pool, "key mask");
    const std::int32_t lengths[2] = {77, 1};
    p.a.key_lengths = lengths;
    p.run(kernel, pool, "key mask and lengths");
    p.a.causal = true;
    p.run(kernel, pool, "key mask, lengths and causal");
  });
}

TEST(Attention, QueriesThatSeeNothingGiveZeros) {
  ThreadPool pool(1);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    const auto all_zero = [&](Problem<T>& p) {
      p.run(kernel, pool, "nothing seen");
      for (std::int64_t i = 0; i < p.out.size(); ++i) ASSERT_EQ(value_of(p.out[i]), 0) << kernel.name;
    };
    Problem<T> p(1, 20, 60, 1, 1, 8, 8);
    std::vector<float> mask(60, std::numeric_limits<float>::lowest());
    p.a.mask = mask.data();
    all_zero(p);
    std::fill(mask.begin(), mask.end(), -HUGE_VALF);
    all_zero(p);
    p.a.mask = nullptr;
    const std::int32_t none = 0;
    p.a.key_lengths = &none;
    all_zero(p);
  });
}

// Scores in the hundreds, the largest in the last block: the running maximum must carry over.
TEST(Attention, LargeScoresThatGrow) {
  ThreadPool pool(1);
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    Problem<T> p(1, 20, 200, 1, 1, 4, 8);
    for (std::int64_t i = 0; i < 20 * 4; ++i) testing::assign(p.q[i], 4);
    for (std::int64_t j = 0; j < 200; ++j) {
      for (int d = 0; d < 4; ++d) testing::assign(p.k[j * 4 + d], std::floor(static_cast<double>(j) / 8) * 0.5);
    }
    p.a.scale = 1;
    p.run(kernel, pool, "growing scores");
  });
}

TEST(Attention, ThreadsDoNotChangeResults) {
  ThreadPool pools[3] = {ThreadPool(1), ThreadPool(2), ThreadPool(3)};
  for_rows([&]<class T>(T, const AttentionKernel& kernel) {
    Problem<T> p(1, 300, 140, 1, 1, 24, 24);
    p.a.causal = true;
    std::vector<T> first;
    for (ThreadPool& pool : pools) {
      Scratch scratch(kernel, p.a, pool.threads());
      attention(kernel, p.a, pool, scratch.start);
      std::vector<T> now(p.out.data(), p.out.data() + p.out.size());
      if (first.empty()) first = now;
      ASSERT_TRUE(first == now) << kernel.name;
    }
  });
}

}  // namespace
}  // namespace thimble::kernels
