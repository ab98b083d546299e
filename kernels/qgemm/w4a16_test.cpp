// W4A16 against gemm() on the dequantised weights, bit for bit, for every float kernel and the emulated AMX.
#include "kernels/qgemm/w4a16.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/error.h"
#include "kernels/qgemm/test_support.h"

namespace thimble::kernels {
namespace {

TEST(W4A16, EqualsGemmOnDequantisedWeights) {
  for (DType type : {DType::f32, DType::bf16}) {
    for (const GemmKernel* g : testable_kernels(type)) {
      const W4A16Kernel k = w4a16_kernel(*g);
      for (const auto& [M, N, K] : {std::array<std::int64_t, 3>{1, g->nr + 3, 100},
                                    {g->mr + 1, 2 * g->nr, 130},
                                    {3, 5, g->kc + 33},
                                    {2, 1, 1}}) {
        for (std::int64_t group : {0, 32, 64, 128}) {
          const std::int64_t groups = group ? (K + group - 1) / group : 1;
          const auto q = random_bytes(N * K, -8, 7, 1);
          const auto scale = random_floats(N * groups, 2), x32 = random_floats(M * K, 3), bias = random_floats(N, 4);
          std::vector<std::byte> x(x32.size() * size_of(type));
          convert(DType::f32, x32.data(), type, x.data(), x32.size());
          std::vector<float> w(q.size()), C(static_cast<std::size_t>(M * N)), D(C.size());
          for (std::int64_t i = 0; i < N * K; ++i) {
            w[i] = scale[i / K * groups + (group ? i % K / group : 0)] * q[i];
          }
          GemmArgs args{.M = M,
                        .N = N,
                        .K = K,
                        .A = x.data(),
                        .lda = K,
                        .W = nullptr,
                        .C = C.data(),
                        .ldc = N,
                        .c_type = DType::f32,
                        .epilogue = {}};
          args.epilogue.bias = bias.data();
          ThreadPool pool(2);
          Buffer floats(packed_bytes(*g, N, K)), scratch = dirty(gemm_scratch_bytes(*g, M, N, K, 2));
          pack_weights(*g, N, K, w.data(), DType::f32, K, floats.data());
          args.W = floats.data();
          gemm(*g, args, pool, scratch.data());
          Buffer four(w4a16_weight_bytes(k, N, K, group)), more = dirty(w4a16_scratch_bytes(k, M, N, K, 2));
          pack_w4a16(k, N, K, group, {q.data(), K, false, scale.data()}, four.data());
          args.W = four.data();
          args.C = D.data();
          w4a16(k, args, group, pool, more.data());
          EXPECT_EQ(C, D) << g->name << " M " << M << " N " << N << " K " << K << " group " << group;
        }
      }
    }
  }
}

TEST(W4A16, OddGroupsAreRefused) {
  const float scale = 1;
  const std::int8_t q = 1;
  std::byte out[64];
  EXPECT_THROW(pack_w4a16(pick_w4a16(DType::f32), 1, 1, 33, {&q, 1, false, &scale}, out), Error);
}

}  // namespace
}  // namespace thimble::kernels
