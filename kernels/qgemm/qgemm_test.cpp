// Integer matrix kernels against a plain int64 loop: every runnable row of the table and the emulated AMX, over tails,
// groups, zero-points, extremes, epilogues and threads.
//
// With scales of one or one half the sums are exact in f32 too (below 2^24 units), so results are compared for
// equality. Where they are not exact, the bounds are those of the headers: half a scale per rounded value, and 2^-24
// per f32 operation.
#include "kernels/qgemm/qgemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/qgemm/test_support.h"

namespace thimble::kernels {
namespace {

Buffer packed_weights(const QgemmKernel& k, std::int64_t N, std::int64_t K, std::int64_t group, const QWeights& w) {
  Buffer packed(qgemm_weight_bytes(k, N, K, group));
  pack_qweights(k, N, K, group, w, packed.data());
  return packed;
}

std::vector<float> run(const QgemmKernel& k, std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t group,
                       const QActivations& x, const QWeights& w, int threads = 1) {
  ThreadPool pool(threads);
  const Buffer W = packed_weights(k, N, K, group, w);
  Buffer A = dirty(qgemm_activation_bytes(k, M, K, group));
  Buffer scratch = dirty(qgemm_scratch_bytes(k, M, N, K, group, threads));
  pack_activations(k, M, K, group, x, pool, A.data());
  std::vector<float> C(static_cast<std::size_t>(M * (N + 1)), 77.0f);
  QgemmArgs args;
  args.M = M;
  args.N = N;
  args.K = K;
  args.group = group;
  args.A = A.data();
  args.W = W.data();
  args.C = C.data();
  args.ldc = N + 1;
  qgemm(k, args, pool, scratch.data());
  return C;
}

struct Exact {
  std::int64_t M, N, K, group = 0;
  int zero = 0;
  int low = -128, high = 127;  // of activations
  int w_low = -128, w_high = 127;
  int threads = 1;
};

// Integer activations, scales 1 (and 1/2 for every other group and third row): equal to the last bit.
void check_exact(const QgemmKernel& k, const Exact& t) {
  const std::int64_t lda = t.K + 3, ldw = t.K + 5, groups = t.group ? (t.K + t.group - 1) / t.group : 1;
  const auto a = random_bytes(t.M * lda, t.low, t.high, 1);
  const bool four = k.weight_bits == 4;
  const auto w =
      random_bytes(t.N * ldw, four ? std::max(t.w_low, -8) : t.w_low, four ? std::min(t.w_high, 7) : t.w_high, 2);
  std::vector<float> scale(static_cast<std::size_t>(t.N * groups));
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = i % 3 ? 1.0f : 0.5f;
  const auto C = run(k, t.M, t.N, t.K, t.group,
                     {.x = a.data(), .type = DType::i8, .ld = lda, .how = Quantize::fixed, .scale = 1, .zero = t.zero},
                     {.q = w.data(), .ld = ldw, .nibbles = false, .scale = scale.data()}, t.threads);
  const std::int64_t group_k = t.group ? t.group : std::max<std::int64_t>(1, t.K);
  for (std::int64_t m = 0; m < t.M; ++m) {
    for (std::int64_t n = 0; n < t.N; ++n) {
      double wanted = 0;
      for (std::int64_t g = 0; g < groups; ++g) {
        std::int64_t acc = 0;
        for (std::int64_t i = g * group_k; i < std::min(t.K, (g + 1) * group_k); ++i) {
          acc += (a[m * lda + i] - t.zero) * w[n * ldw + i];
        }
        wanted += static_cast<double>(acc) * scale[n * groups + g];
      }
      const float got = C[m * (t.N + 1) + n];
      if (got != static_cast<float>(wanted)) {
        ADD_FAILURE() << k.name << " M " << t.M << " N " << t.N << " K " << t.K << " group " << t.group << " zero "
                      << t.zero << " at (" << m << ", " << n << "): got " << got << ", wanted " << wanted;
        return;
      }
    }
    ASSERT_EQ(C[m * (t.N + 1) + t.N], 77.0f) << k.name << " wrote past its columns";
  }
}

TEST(Qgemm, EveryTail) {
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t M : {1, 2, k->mr - 1, k->mr, k->mr + 1, 2 * k->mr + 3}) {
      for (std::int64_t N : {1, k->nr / 2, k->nr / 2 + 1, k->nr - 1, k->nr, k->nr + 1, 2 * k->nr + 5}) {
        for (std::int64_t K : {1, 3, k->kr + 1, 64, 131}) {
          check_exact(*k, {.M = M, .N = N, .K = K, .zero = static_cast<int>(M % 5) * 40 - 80});
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Qgemm, EveryRowCountColumnCountAndDepth) {
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t M = 1; M <= k->mr; ++M) check_exact(*k, {.M = M, .N = k->nr + 3, .K = 37});
    for (std::int64_t N = 1; N <= 2 * k->nr; ++N) check_exact(*k, {.M = k->mr + 1, .N = N, .K = 19, .zero = 11});
    for (std::int64_t K = 1; K <= 140; ++K) check_exact(*k, {.M = 3, .N = 5, .K = K, .zero = -7});
    if (HasFailure()) return;
  }
}

TEST(Qgemm, GroupsOfEverySize) {
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t group : {32, 64, 128}) {
      if (group < k->min_group) continue;
      for (std::int64_t K : {1, 31, 32, 33, 64, 65, 127, 128, 129, 150}) {
        for (int zero : {0, -128, 57}) {
          check_exact(*k, {.M = k->mr + 1, .N = k->nr + 3, .K = K, .group = group, .zero = zero});
          if (HasFailure()) return;
        }
      }
      for (std::int64_t N = 1; N <= k->nr; N += 5) check_exact(*k, {.M = 2, .N = N, .K = 100, .group = group});
    }
  }
}

TEST(Qgemm, SeveralBlocksOfEverything) {
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t K : {k->kc, k->kc + 1, 2 * k->kc + 7}) {
      check_exact(*k, {.M = k->mr + 5, .N = k->nr + 5, .K = K, .zero = 3, .threads = 2});
    }
    // Small values keep sums of groups exact. More rows and depth than an L2 holds: K outside.
    check_exact(*k, {.M = 220, .N = 45, .K = 5000, .zero = -3, .threads = 2});
    check_exact(*k,
                {.M = 220, .N = 37, .K = 5000, .group = 64, .zero = 0, .low = -9, .high = 9, .w_low = -8, .w_high = 7});
    if (HasFailure()) return;
  }
}

TEST(Qgemm, ExtremesNeitherSaturateNorOverflow) {
  for (const QgemmKernel* k : all_kernels()) {
    for (const auto& [a, zero] : {std::array<int, 2>{-128, 0}, {127, 0}, {-1, 0}, {1, 0}, {-128, 127}, {127, -128}}) {
      for (int w : {-128, -127, 127, -1, 1, -8, 7}) {
        if (k->weight_bits == 4 && (w < -8 || w > 7)) continue;
        check_exact(*k, {.M = k->mr + 1, .N = 3, .K = 150, .zero = zero, .low = a, .high = a, .w_low = w, .w_high = w});
        check_exact(*k, {.M = 1, .N = 2, .K = kMaxQgemmK, .zero = zero, .low = a, .high = a, .w_low = w, .w_high = w});
        if (HasFailure()) return;
      }
    }
  }
}

TEST(Qgemm, EmptySumsAndEmptyOutputs) {
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t group : {0, 64}) {
      check_exact(*k, {.M = 3, .N = 5, .K = 0, .group = group, .zero = 9});
      check_exact(*k, {.M = 0, .N = 5, .K = 4, .group = group});
      check_exact(*k, {.M = 3, .N = 0, .K = 4, .group = group});
    }
  }
}

TEST(Qgemm, NibblesPackLikeBytes) {
  const std::int64_t N = 37, K = 101, ld = 102;
  const auto w = random_bytes(N * ld, -8, 7, 3);
  std::vector<std::uint8_t> nibbles(static_cast<std::size_t>(N * ld / 2));
  for (std::size_t i = 0; i < nibbles.size(); ++i) {
    nibbles[i] = static_cast<std::uint8_t>((w[2 * i] & 15) | (w[2 * i + 1] & 15) << 4);
  }
  const std::vector<float> scale(N * 2, 0.25f);
  for (const QgemmKernel* k : all_kernels()) {
    const QWeights two{nibbles.data(), ld, true, scale.data()};
    if (k->weight_bits == 8) {
      std::byte out[1];
      EXPECT_THROW(pack_qweights(*k, 1, 1, 0, two, out), Error);
      continue;
    }
    const Buffer x = packed_weights(*k, N, K, 64, {w.data(), ld, false, scale.data()});
    const Buffer y = packed_weights(*k, N, K, 64, two);
    EXPECT_EQ(0, std::memcmp(x.data(), y.data(), x.size())) << k->name;
  }
}

TEST(Qgemm, PanelsCanBePackedApart) {
  for (const QgemmKernel* k : all_kernels()) {
    const std::int64_t N = 3 * k->nr + 1, K = 70;
    const auto w = random_bytes(N * K, -8, 7, 7);
    const auto scale = random_floats(N * 2, 8);
    const QWeights source{w.data(), K, false, scale.data()};
    for (std::int64_t group : {0, 64}) {
      const Buffer whole = packed_weights(*k, N, K, group, source);
      Buffer parts(whole.size());
      pack_qweight_panels(*k, N, K, group, source, parts.data(), 2, 4);
      pack_qweight_panels(*k, N, K, group, source, parts.data(), 0, 2);
      EXPECT_EQ(0, std::memcmp(whole.data(), parts.data(), whole.size())) << k->name;
    }
  }
}

// The whole way: |y - x w| <= sum |x| dw + |w| dx + dx dw, with dw = sw / 2 and dx = sx / 2 (sx with z rounded).
TEST(Qgemm, QuantisedProductIsWithinTheDerivedBound) {
  const std::int64_t M = 19, N = 43, K = 777;
  const auto x = random_floats(M * K, 11), w = random_floats(N * K, 12);
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t group : {0, 64, 128}) {
      for (Quantize how : {Quantize::symmetric, Quantize::asymmetric}) {
        const std::int64_t groups = group ? (K + group - 1) / group : 1;
        std::vector<std::int8_t> q(w.size());
        std::vector<float> scale(static_cast<std::size_t>(N * groups));
        quantize_weights(N, K, group, k->weight_bits, w.data(), K, q.data(), scale.data());
        const auto C = run(*k, M, N, K, group, {x.data(), DType::f32, K, how}, {q.data(), K, false, scale.data()}, 2);
        double error = 0, size = 0;
        for (std::int64_t m = 0; m < M; ++m) {
          double low = 0, high = 0;
          for (std::int64_t i = 0; i < K; ++i) {
            low = std::min<double>(low, x[m * K + i]);
            high = std::max<double>(high, x[m * K + i]);
          }
          const double dx = how == Quantize::symmetric ? std::max(high, -low) / 127 / 2 : (high - low) / 255;
          for (std::int64_t n = 0; n < N; ++n) {
            double wanted = 0, bound = 1e-4;
            for (std::int64_t i = 0; i < K; ++i) {
              const double dw = 0.5001 * scale[n * groups + (group ? i / group : 0)];
              const double a = x[m * K + i], b = w[n * K + i];
              wanted += a * b;
              bound += std::abs(a) * dw + std::abs(b) * dx + dx * dw;
            }
            const double d = C[m * (N + 1) + n] - wanted;
            ASSERT_LE(std::abs(d), bound) << k->name << " group " << group;
            error += d * d;
            size += wanted * wanted;
          }
        }
        // Uniform rounding of normal values: about 1 % at 8 bits, 13 to 17 % at 4.
        EXPECT_LT(std::sqrt(error / size), k->weight_bits == 8 ? 0.02 : 0.2) << k->name;
      }
    }
  }
}

// ---- epilogues

double activate(Activation act, double x) {
  switch (act) {
    case Activation::none: return x;
    case Activation::relu: return std::max(x, 0.0);
    case Activation::gelu_erf: return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::gelu_quick: return x / (1 + std::exp(-1.702 * x));
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::tanh: return std::tanh(x);
    case Activation::hard_swish: return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
  }
  return x;
}

struct EpilogueCase {
  Activation act = Activation::none;
  bool bias = false, residual = false, in_place = false, batches = false;
  int gate = 0;  // 0 none, 1 f32, 2 bf16
  DType c_type = DType::f32, residual_type = DType::f32;
  std::int64_t group = 0;
};

void check_epilogue(const QgemmKernel& k, const EpilogueCase& t) {
  const std::int64_t M = 2 * k.mr + 1, N = k.nr + 3, K = 40, ldc = N + 2;
  const auto a = random_bytes(M * K, -128, 127, 1), w = random_bytes(N * K, -8, 7, 2);
  const auto x_scale = 1.0f / 512;
  const std::vector<float> scale(static_cast<std::size_t>(N), 0.125f);
  const auto bias = random_floats(M * (N + 4), 4), gate = random_floats(M * (N + 4), 5);
  std::vector<bf16> gate16(gate.size());
  convert(DType::f32, gate.data(), DType::bf16, gate16.data(), gate.size());
  const auto residual = random_floats(M * ldc, 6);
  std::vector<std::byte> R(residual.size() * size_of(t.residual_type));
  convert(DType::f32, residual.data(), t.residual_type, R.data(), residual.size());
  std::vector<std::byte> C(residual.size() * size_of(t.c_type), std::byte{0x5a});
  if (t.in_place) C = R;
  const std::vector<std::byte> before = C;

  ThreadPool pool(1);
  const Buffer W = packed_weights(k, N, K, t.group, {w.data(), K, false, scale.data()});
  Buffer A = dirty(qgemm_activation_bytes(k, M, K, t.group)),
         scratch = dirty(qgemm_scratch_bytes(k, M, N, K, t.group, 1));
  const int zero = 13;
  pack_activations(k, M, K, t.group, {a.data(), DType::i8, K, Quantize::fixed, x_scale, zero}, pool, A.data());
  QgemmArgs args;
  args.M = M;
  args.N = N;
  args.K = K;
  args.group = t.group;
  args.A = A.data();
  args.W = W.data();
  args.C = C.data();
  args.ldc = ldc;
  args.c_type = t.c_type;
  args.c_scale = 0.02f;
  args.c_zero = -9;
  args.residual_type = t.residual_type;
  Epilogue& e = args.epilogue;
  e.act = t.act;
  const std::int64_t batch_rows = t.batches ? 3 : M, batch_stride = t.batches ? N + 4 : 0;
  e.rows_per_batch = batch_rows;
  if (t.bias) e.bias = bias.data();
  e.bias_batch_stride = batch_stride;
  if (t.gate) e.gate = t.gate == 1 ? static_cast<const void*>(gate.data()) : gate16.data();
  e.gate_type = t.gate == 2 ? DType::bf16 : DType::f32;
  e.gate_batch_stride = batch_stride;
  if (t.residual) e.residual = t.in_place ? C.data() : R.data();
  e.residual_ld = ldc;
  qgemm(k, args, pool, scratch.data());

  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t n = 0; n < N; ++n) {
      std::int64_t acc = 0;
      for (std::int64_t i = 0; i < K; ++i) acc += (a[m * K + i] - zero) * w[n * K + i];
      const std::int64_t at = m / batch_rows * batch_stride + n;
      double inner = static_cast<double>(acc) * 0.125 * x_scale;
      if (t.bias) inner += bias[at];
      double wanted = activate(t.act, inner);
      if (t.gate) wanted *= t.gate == 1 ? gate[at] : to_f32(gate16[at]);
      if (t.residual) wanted += read(R.data(), t.residual_type, m * ldc + n);
      double bound = 2e-6 * std::max({1.0, std::abs(inner), std::abs(wanted)}) * (t.gate ? 4 : 1);
      const double got = read(C.data(), t.c_type, m * ldc + n);
      if (t.c_type == DType::bf16) bound += 0x1p-8 * std::abs(wanted);
      if (t.c_type == DType::i8) {
        const double real = wanted / 0.02f - 9;
        ASSERT_LE(std::abs(got - std::clamp(real, -128.0, 127.0)), 0.5 + bound / 0.02 + 1e-4) << k.name;
      } else {
        ASSERT_LE(std::abs(got - wanted), bound) << k.name << " activation " << int(t.act);
      }
    }
    const std::size_t element = size_of(t.c_type), end = static_cast<std::size_t>(m * ldc + N) * element;
    ASSERT_EQ(0, std::memcmp(C.data() + end, before.data() + end, 2 * element)) << k.name << " wrote past its columns";
  }
}

TEST(Qgemm, EveryEpilogue) {
  for (const QgemmKernel* k : all_kernels()) {
    for (int act = 0; act <= static_cast<int>(Activation::hard_swish); ++act) {
      for (DType type : {DType::f32, DType::bf16, DType::i8}) {
        for (int bits = 0; bits < 32; ++bits) {
          EpilogueCase t;
          t.act = static_cast<Activation>(act);
          t.c_type = type;
          t.bias = bits & 1;
          t.residual = bits & 2;
          t.residual_type = bits & 4 ? DType::bf16 : DType::f32;
          t.in_place = t.residual && t.residual_type == type && bits & 1;
          t.batches = bits & 8;
          t.gate = bits % 3;
          t.group = bits & 16 ? 64 : 0;
          check_epilogue(*k, t);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Qgemm, NanStaysInItsRow) {
  const std::int64_t M = 5, N = 7, K = 40;
  auto x = random_floats(M * K, 1);
  x[2 * K + 3] = std::numeric_limits<float>::quiet_NaN();
  const auto w = random_bytes(N * K, -8, 7, 2);
  const std::vector<float> scale(N, 0.1f);
  for (const QgemmKernel* k : all_kernels()) {
    for (std::int64_t group : {0, 64}) {
      const auto C = run(*k, M, N, K, group, {x.data(), DType::f32, K}, {w.data(), K, false, scale.data()});
      for (std::int64_t m = 0; m < M; ++m) EXPECT_EQ(std::isnan(C[m * (N + 1)]), m == 2) << k->name;
    }
  }
}

TEST(Qgemm, ThreadsDoNotChangeABit) {
  for (const QgemmKernel* k : all_kernels()) {
    for (const auto& [M, N, K] : {std::array<std::int64_t, 3>{77, 300, 600}, {5, 1000, 64}, {300, 40, 96}}) {
      for (std::int64_t group : {0, 64}) {
        const auto x = random_floats(M * K, 3), scale = random_floats(N * ((K + 63) / 64), 4);
        const auto w = random_bytes(N * K, -8, 7, 5);
        const QActivations source{x.data(), DType::f32, K, Quantize::asymmetric};
        const QWeights weights{w.data(), K, false, scale.data()};
        const auto one = run(*k, M, N, K, group, source, weights);
        for (int threads : {2, 3}) {
          EXPECT_EQ(one, run(*k, M, N, K, group, source, weights, threads)) << k->name << " threads " << threads;
        }
      }
    }
    const std::size_t three = qgemm_scratch_bytes(*k, 500, 300, 3000, 0, 3);
    for (int threads : {1, 2}) EXPECT_GE(three, qgemm_scratch_bytes(*k, 500, 300, 3000, 0, threads));
  }
}

TEST(QgemmTable, ScalarIsAlwaysThereAndTheCapHolds) {
  for (int bits : {8, 4}) {
    EXPECT_EQ(pick_qgemm(bits, 0, Isa::scalar).isa, Isa::scalar);
    for (Isa cap : usable_isas()) EXPECT_LE(pick_qgemm(bits, 0, cap).isa, cap);
    for (std::int64_t group : {32, 64, 128}) EXPECT_LE(pick_qgemm(bits, group).min_group, group);
    EXPECT_TRUE(explain_qgemm(bits, 0, Isa::scalar).back().refused.empty());
    EXPECT_THROW(pick_qgemm(bits, 48), Error);
  }
  EXPECT_THROW(pick_qgemm(3), Error);
  const std::int8_t q[1] = {};
  const float scale[1] = {1};
  std::byte out[1];
  EXPECT_THROW(pack_qweights(emulated_amx(8), 1, 1, 32, {q, 1, false, scale}, out), Error);
  EXPECT_THROW(pack_qweights(emulated_amx(8), 1, kMaxQgemmK + 1, 0, {q, 1, false, scale}, out), Error);
}

}  // namespace
}  // namespace thimble::kernels
