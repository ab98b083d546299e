// Linear attention and the two halves of attention on raw memory: against double sums, over tails of every size,
// strides of fused tensors, and the same bits for any number of threads.
#include <gtest/gtest.h>

#include <cmath>

#include "base/memory.h"
#include "kernels/attention/linear.h"
#include "kernels/attention/map.h"
#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

struct Sizes {
  std::int64_t batch, queries, keys, heads, head, value;
};
const Sizes kSizes[] = {{1, 1, 1, 1, 1, 1},      {1, 7, 5, 2, 3, 5},     {2, 33, 31, 2, 16, 16},
                        {1, 40, 300, 3, 32, 32}, {1, 65, 70, 1, 40, 72}, {1, 9, 700, 2, 17, 33}};

// q, k and v side by side in one row of a fused tensor, widened to double for the reference.
struct Fused {
  std::int64_t width;
  std::vector<float> f32;
  std::vector<bf16> half;
  Fused(std::int64_t rows, std::int64_t row, std::uint64_t stream) : width(row) {
    Rng rng(5, stream);
    for (std::int64_t i = 0; i < rows * row; ++i) {
      half.push_back(to_bf16(static_cast<float>(rng.uniform(-1, 1))));
      f32.push_back(to_f32(half.back()));
    }
  }
  const void* data(DType type) const {
    return type == DType::f32 ? static_cast<const void*>(f32.data()) : static_cast<const void*>(half.data());
  }
};

double value(const Buffer& b, DType type, std::int64_t i) {
  const auto* at = b.data() + i * static_cast<std::int64_t>(size_of(type));
  if (type == DType::f32) return *reinterpret_cast<const float*>(at);
  return to_f32(*reinterpret_cast<const bf16*>(at));
}

// Sums are of values of either sign: judged against the size of what was added, not of the result.
double tolerance(DType type) { return type == DType::f32 ? 2e-5 : 1e-2; }

TEST(LinearAttention, IsThatOfTheFormula) {
  for (const LinearAttentionKernel* kernel : linear_attention_kernels()) {
    if (!supports(cpu(), kernel->isa)) continue;
    for (const Sizes& s : kSizes) {
      const std::int64_t row = s.heads * std::max(s.head, s.value) * 3, wide = row / 3;
      const Fused x(s.batch * std::max(s.queries, s.keys), row, 1);
      LinearAttentionArgs a;
      a.batch = s.batch, a.q_len = s.queries, a.k_len = s.keys, a.heads = s.heads;
      a.head_size = s.head, a.value_size = s.value;
      const auto element = static_cast<std::int64_t>(size_of(kernel->type));
      const auto* base = static_cast<const std::byte*>(x.data(kernel->type));
      a.q = base, a.k = base + wide * element, a.v = base + 2 * wide * element;
      const std::int64_t batch = std::max(s.queries, s.keys) * row;
      a.q_strides = a.k_strides = {batch, row, s.head};
      a.v_strides = {batch, row, s.value};
      a.out_strides = packed_heads(s.queries, s.heads, s.value);
      const std::int64_t n = s.batch * s.queries * s.heads * s.value;
      Buffer first(static_cast<std::size_t>(n * element)), again(static_cast<std::size_t>(n * element));
      for (int threads : {1, 3}) {
        ThreadPool pool(threads);
        Buffer scratch(linear_attention_scratch_bytes(a, threads));
        a.out = (threads == 1 ? first : again).data();
        linear_attention(*kernel, a, pool, scratch.data());
      }
      EXPECT_EQ(std::memcmp(first.data(), again.data(), static_cast<std::size_t>(n * element)), 0) << kernel->name;
      const auto at = [&](std::int64_t part, std::int64_t b, std::int64_t t, std::int64_t c) {
        return static_cast<double>(x.f32[static_cast<std::size_t>(b * batch + t * row + part * wide + c)]);
      };
      for (std::int64_t b = 0; b < s.batch; ++b) {
        for (std::int64_t h = 0; h < s.heads; ++h) {
          for (std::int64_t i = 0; i < s.queries; ++i) {
            std::vector<double> sum(static_cast<std::size_t>(s.value), 0.0);
            double total = 1e-15;
            for (std::int64_t j = 0; j < s.keys; ++j) {
              double weight = 0;
              for (std::int64_t d = 0; d < s.head; ++d) {
                weight += std::max(0.0, at(0, b, i, h * s.head + d)) * std::max(0.0, at(1, b, j, h * s.head + d));
              }
              total += weight;
              for (std::int64_t d = 0; d < s.value; ++d) {
                sum[static_cast<std::size_t>(d)] += weight * at(2, b, j, h * s.value + d);
              }
            }
            for (std::int64_t d = 0; d < s.value; ++d) {
              const std::int64_t place = ((b * s.queries + i) * s.heads + h) * s.value + d;
              ASSERT_NEAR(value(first, kernel->type, place), sum[static_cast<std::size_t>(d)] / total,
                          tolerance(kernel->type))
                  << kernel->name << " " << s.keys << " keys of " << s.head;
            }
          }
        }
      }
    }
  }
}

TEST(AttentionHalves, GiveWhatAttentionGives) {
  for (Isa isa : usable_isas()) {
    for (DType type : {DType::f32, DType::bf16}) {
      const MapKernels kernels = pick_attention_map(type, isa);
      const AttentionKernel& whole = *pick_attention(type, isa);
      for (const Sizes& s : kSizes) {
        const std::int64_t row = s.heads * std::max(s.head, s.value) * 3, wide = row / 3;
        const Fused x(s.batch * std::max(s.queries, s.keys), row, 2);
        const auto element = static_cast<std::int64_t>(size_of(type));
        const auto* base = static_cast<const std::byte*>(x.data(type));
        const std::int64_t batch = std::max(s.queries, s.keys) * row;
        const HeadStrides heads{batch, row, s.head}, values{batch, row, s.value};
        std::vector<float> mask(static_cast<std::size_t>(s.keys));
        for (std::int64_t k = 0; k < s.keys; ++k) mask[static_cast<std::size_t>(k)] = k % 3 == 1 ? -INFINITY : 0.1f;

        AttentionMapArgs m;
        m.batch = s.batch, m.q_len = s.queries, m.k_len = s.keys, m.heads = m.kv_heads = s.heads, m.head_size = s.head;
        m.q = base, m.k = base + wide * element;
        m.q_strides = m.k_strides = heads;
        m.scale = 0.3f;
        m.mask = mask.data();
        Buffer map(static_cast<std::size_t>(s.batch * s.heads * s.queries * s.keys * element));
        m.map = map.data();
        AttentionApplyArgs p;
        p.batch = s.batch, p.q_len = s.queries, p.k_len = s.keys, p.heads = p.kv_heads = s.heads;
        p.value_size = s.value;
        p.map = map.data(), p.v = base + 2 * wide * element;
        p.v_strides = values;
        p.out_strides = packed_heads(s.queries, s.heads, s.value);
        AttentionArgs w;
        w.batch = s.batch, w.q_len = s.queries, w.k_len = s.keys, w.heads = w.kv_heads = s.heads;
        w.head_size = s.head, w.value_size = s.value, w.scale = m.scale, w.mask = mask.data();
        w.q = m.q, w.k = m.k, w.v = p.v;
        w.q_strides = w.k_strides = heads, w.v_strides = values, w.out_strides = p.out_strides;

        const std::int64_t n = s.batch * s.queries * s.heads * s.value;
        Buffer two(static_cast<std::size_t>(n * element)), one(static_cast<std::size_t>(n * element)),
            again(static_cast<std::size_t>(n * element));
        for (int threads : {1, 2}) {
          ThreadPool pool(threads);
          Buffer scratch(std::max(attention_map_scratch_bytes(kernels, m, threads),
                                  attention_apply_scratch_bytes(kernels, p, threads)));
          attention_map(kernels, m, pool, scratch.data());
          p.out = (threads == 1 ? two : again).data();
          attention_apply(kernels, p, pool, scratch.data());
        }
        EXPECT_EQ(std::memcmp(two.data(), again.data(), static_cast<std::size_t>(n * element)), 0) << to_string(isa);
        for (std::int64_t r = 0; r < s.batch * s.heads * s.queries; ++r) {
          double sum = 0;
          for (std::int64_t k = 0; k < s.keys; ++k) sum += value(map, type, r * s.keys + k);
          ASSERT_NEAR(sum, 1, type == DType::f32 ? 1e-5 : 2e-2);
        }
        ThreadPool pool(1);
        Buffer scratch(attention_scratch_bytes(whole, w));
        w.out = one.data();
        attention(whole, w, pool, scratch.data());
        for (std::int64_t i = 0; i < n; ++i) {
          ASSERT_NEAR(value(two, type, i), value(one, type, i), tolerance(type)) << to_string(isa) << " " << s.keys;
        }
      }
    }
  }
}

}  // namespace
}  // namespace thimble::kernels
