// Matrix kernels against a plain double loop: every runnable row of the table, tails, epilogues, threads.
//
// Bounds. Inputs of a test are exactly representable in their type, so what differs is rounding of f32 sums: n
// additions of terms t err by about sqrt(n) * 2^-24 * sum|t| (random signs), and we allow (8 + 2 sqrt(K)) * 2^-24 *
// sum|t|, far below one wrong or missing term. The bf16 dot product rounds every intermediate sum too: same bound,
// doubled. A bf16 output adds its rounding, 2^-8 of the value. Activations add 1e-6 * max(1, |x|): a few f32 roundings
// of x.
#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kernels/gemm/amx_emulated.h"

namespace thimble::kernels {
namespace {

double read(const void* p, DType type, std::int64_t i) {
  return type == DType::f32 ? static_cast<const float*>(p)[i] : to_f32(static_cast<const bf16*>(p)[i]);
}

// n values in (-1, 1), exact in bf16, stored as `type`.
std::vector<std::byte> random_values(std::int64_t n, DType type, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  Rng rng(seed);
  for (float& v : values) v = to_f32(to_bf16(static_cast<float>(rng.uniform(-1, 1))));
  std::vector<std::byte> bytes(values.size() * size_of(type));
  convert(DType::f32, values.data(), type, bytes.data(), values.size());
  return bytes;
}

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

struct Case {
  std::int64_t M, N, K;
  std::int64_t extra_a = 0, extra_w = 0, extra_c = 0;  // ld beyond the size
  DType c_type = DType::f32;
  DType w_type = DType::f32;
  Activation act = Activation::none;
  bool bias = false, residual = false, in_place = false;
  int gate = 0;  // 0 none, 1 f32, 2 bf16
  bool slope = false, act_last = false;
  float most = std::numeric_limits<float>::infinity();
  std::int64_t rows_per_batch = INT64_MAX, batch_stride = 0;
  int threads = 1;
};

// Runs the case and returns C, padding included; compares with the reference unless told not to.
std::vector<std::byte> run_case(const GemmKernel& kernel, const Case& t, bool compare = true) {
  const std::int64_t lda = t.K + t.extra_a, ldw = t.K + t.extra_w, ldc = t.N + t.extra_c;
  const std::int64_t batches = t.rows_per_batch == INT64_MAX ? 1 : (t.M + t.rows_per_batch - 1) / t.rows_per_batch;
  const auto A = random_values(t.M * lda, kernel.type, 1), W = random_values(t.N * ldw, t.w_type, 2);
  const auto R = random_values(t.M * ldc, t.c_type, 3);
  const std::int64_t vector_size = t.N + (batches - 1) * t.batch_stride;
  const auto bias = random_values(vector_size, DType::f32, 4);
  const DType gate_type = t.gate == 2 ? DType::bf16 : DType::f32;
  const auto gate = random_values(vector_size, gate_type, 5);

  Buffer packed(packed_bytes(kernel, t.N, t.K));
  pack_weights(kernel, t.N, t.K, W.data(), t.w_type, ldw, packed.data());
  Buffer scratch(gemm_scratch_bytes(kernel, t.M, t.N, t.K, t.threads));
  if (scratch.size()) std::memset(scratch.data(), 0xff, scratch.size());  // NaN: what scratch held must not matter
  std::vector<std::byte> C = t.in_place ? R : std::vector<std::byte>(R.size(), std::byte{0x5a});

  GemmArgs args{.M = t.M,
                .N = t.N,
                .K = t.K,
                .A = A.data(),
                .lda = lda,
                .W = packed.data(),
                .C = C.data(),
                .ldc = ldc,
                .c_type = t.c_type,
                .epilogue = {}};
  Epilogue& e = args.epilogue;
  e.act = t.act;
  e.rows_per_batch = t.rows_per_batch;
  const auto slope = random_values(t.N, DType::f32, 6);
  if (t.slope) e.slope = reinterpret_cast<const float*>(slope.data());
  e.act_last = t.act_last;
  e.most = t.most;
  if (t.bias) {
    e.bias = reinterpret_cast<const float*>(bias.data());
    e.bias_batch_stride = t.batch_stride;
  }
  if (t.gate) {
    e.gate = gate.data();
    e.gate_type = gate_type;
    e.gate_batch_stride = t.batch_stride;
  }
  if (t.residual) {
    e.residual = t.in_place ? C.data() : R.data();
    e.residual_ld = ldc;
  }
  ThreadPool pool(t.threads);
  gemm(kernel, args, pool, scratch.data());
  if (!compare) return C;

  const double sum_eps =
      (kernel.layout == WeightLayout::bf16_pair ? 2 : 1) * (8 + 2 * std::sqrt(double(t.K))) * 0x1p-24;
  for (std::int64_t m = 0; m < t.M; ++m) {
    for (std::int64_t n = 0; n < t.N; ++n) {
      double acc = 0, size = 0;
      for (std::int64_t k = 0; k < t.K; ++k) {
        const double term = read(A.data(), kernel.type, m * lda + k) * read(W.data(), t.w_type, n * ldw + k);
        acc += term;
        size += std::abs(term);
      }
      const std::int64_t at = m / t.rows_per_batch * t.batch_stride + n;
      if (t.bias) acc += read(bias.data(), DType::f32, at);
      const double g = t.gate ? read(gate.data(), gate_type, at) : 1.0;
      const double r = t.residual ? read(R.data(), t.c_type, m * ldc + n) : 0.0;
      const auto shaped = [&](double v) {
        if (t.slope && v < 0) v *= read(slope.data(), DType::f32, n);
        return std::min(activate(t.act, v), double(t.most));
      };
      const double wanted = t.act_last ? shaped(r + g * acc) : r + g * shaped(acc);
      double bound = 1.2 * sum_eps * size + 0x1p-22 * (std::abs(acc) + std::abs(wanted)) + 1e-30;
      if (t.act != Activation::none) bound += 1e-6 * std::max(1.0, std::abs(acc));
      if (t.c_type == DType::bf16) bound += 0x1p-8 * std::abs(wanted);
      const double got = read(C.data(), t.c_type, m * ldc + n);
      if (!(std::abs(got - wanted) <= bound)) {
        ADD_FAILURE() << kernel.name << " M " << t.M << " N " << t.N << " K " << t.K << " at (" << m << ", " << n
                      << "): got " << got << ", wanted " << wanted << " within " << bound;
        return C;
      }
    }
    if (t.extra_c == 0) continue;
    // Columns beyond N belong to someone else.
    const std::size_t element = size_of(t.c_type), end = static_cast<std::size_t>(m * ldc + t.N) * element;
    const auto& before = t.in_place ? R : std::vector<std::byte>(R.size(), std::byte{0x5a});
    EXPECT_EQ(0, std::memcmp(C.data() + end, before.data() + end, static_cast<std::size_t>(t.extra_c) * element))
        << kernel.name << " wrote past its columns";
  }
  return C;
}

std::vector<const GemmKernel*> all_kernels() {
  auto kernels = testable_kernels(DType::f32);
  for (const GemmKernel* k : testable_kernels(DType::bf16)) kernels.push_back(k);
  return kernels;
}

TEST(Gemm, EveryTail) {
  for (const GemmKernel* k : all_kernels()) {
    for (std::int64_t M : {1, 2, k->mr - 1, k->mr, k->mr + 1, 2 * k->mr + 3}) {
      for (std::int64_t N : {1, k->nr / 2, k->nr / 2 + 1, k->nr - 1, k->nr, k->nr + 1, 2 * k->nr + 5}) {
        for (std::int64_t K : {1, 2, 3, k->kr + 1, 2 * k->kr + 5, 64}) {
          run_case(*k, {.M = M, .N = N, .K = K, .extra_a = 3, .extra_w = 5, .extra_c = 7});
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Gemm, EveryRowCountAndColumnCount) {
  for (const GemmKernel* k : all_kernels()) {
    for (std::int64_t M = 1; M <= k->mr; ++M) run_case(*k, {.M = M, .N = k->nr + 3, .K = 37});
    for (std::int64_t N = 1; N <= 2 * k->nr; ++N) run_case(*k, {.M = k->mr + 1, .N = N, .K = 19, .extra_c = 1});
    for (std::int64_t K = 1; K <= 70; ++K) run_case(*k, {.M = 3, .N = 5, .K = K, .c_type = k->type});
  }
}

TEST(Gemm, SeveralBlocksOfKAndOfRowsAndColumns) {
  for (const GemmKernel* k : all_kernels()) {
    for (std::int64_t K : {k->kc, k->kc + 1, 2 * k->kc + 7}) {
      run_case(*k, {.M = k->mr + 5, .N = k->nr + 5, .K = K, .bias = true, .threads = 2});
    }
    run_case(*k, {.M = 10 * k->mr + 1, .N = 9 * k->nr + 1, .K = k->kc + 3, .c_type = k->type, .threads = 3});
  }
}

TEST(Gemm, EveryEpilogue) {
  for (const GemmKernel* k : all_kernels()) {
    for (int act = 0; act <= static_cast<int>(Activation::hard_swish); ++act) {
      for (int bits = 0; bits < 48; ++bits) {
        Case t{.M = 2 * k->mr + 1, .N = k->nr + 3, .K = 9, .extra_c = 2};
        t.act = static_cast<Activation>(act);
        t.bias = bits & 1;
        t.residual = bits & 2;
        t.in_place = bits & 4 && t.residual;
        t.c_type = bits & 8 ? k->type : DType::f32;
        t.gate = bits / 16;
        run_case(*k, t);
        t.rows_per_batch = 3;  // batches end inside tiles
        t.batch_stride = t.N + 4;
        run_case(*k, t);
        t.slope = bits & 1;
        t.act_last = bits & 4;
        if (bits & 8) t.most = 0.25f;
        run_case(*k, t);
        if (HasFailure()) return;
      }
    }
  }
}

TEST(Gemm, LargeArgumentsOfActivations) {
  // acc = 100 * (1 or -1): exp would overflow; the limits are exact enough to name.
  for (const GemmKernel* k : all_kernels()) {
    const std::vector<float> a{10.0f}, w{10.0f, -10.0f};
    std::vector<std::byte> A(size_of(k->type));
    convert(DType::f32, a.data(), k->type, A.data(), 1);
    Buffer packed(packed_bytes(*k, 2, 1)), scratch(gemm_scratch_bytes(*k, 1, 2, 1, 1));
    pack_weights(*k, 2, 1, w.data(), DType::f32, 1, packed.data());
    ThreadPool pool(1);
    for (int act = 0; act <= static_cast<int>(Activation::hard_swish); ++act) {
      float c[2];
      GemmArgs args{.M = 1,
                    .N = 2,
                    .K = 1,
                    .A = A.data(),
                    .lda = 1,
                    .W = packed.data(),
                    .C = c,
                    .ldc = 2,
                    .c_type = DType::f32,
                    .epilogue = {}};
      args.epilogue.act = static_cast<Activation>(act);
      gemm(*k, args, pool, scratch.data());
      EXPECT_NEAR(c[0], activate(args.epilogue.act, 100), 1e-4) << k->name << " activation " << act;
      EXPECT_NEAR(c[1], activate(args.epilogue.act, -100), 1e-4) << k->name << " activation " << act;
    }
  }
}

TEST(Gemm, ThreadsDoNotChangeABit) {
  for (const GemmKernel* k : all_kernels()) {
    for (const auto& [M, N, K] : {std::array<std::int64_t, 3>{77, 300, 2 * k->kc + 1}, {5, 1000, 64}, {400, 40, 96}}) {
      Case t{.M = M, .N = N, .K = K, .c_type = k->type, .act = Activation::silu, .bias = true};
      const auto one = run_case(*k, t, false);
      for (int threads : {2, 3}) {
        t.threads = threads;
        EXPECT_EQ(one, run_case(*k, t, false)) << k->name << " with " << threads << " threads";
      }
    }
  }
}

TEST(Gemm, ScratchIsEnoughForFewerThreads) {
  for (const GemmKernel* k : all_kernels()) {
    const std::size_t three = gemm_scratch_bytes(*k, 500, 300, 1000, 3);
    for (int threads : {1, 2}) EXPECT_GE(three, gemm_scratch_bytes(*k, 500, 300, 1000, threads));
  }
}

TEST(Gemm, SourcesOfEveryTypePackAlike) {
  for (const GemmKernel* k : all_kernels()) {
    Case t{.M = 3, .N = k->nr + 1, .K = 67, .extra_w = 2};
    for (DType type : {DType::f32, DType::bf16}) {
      t.w_type = type;
      run_case(*k, t);
    }
    const auto values = random_values(5 * 67, DType::f32, 9);
    std::vector<std::byte> halves(5 * 67 * 2);
    convert(DType::f32, values.data(), DType::f16, halves.data(), 5 * 67);
    std::vector<std::byte> back(5 * 67 * 4);
    convert(DType::f16, halves.data(), DType::f32, back.data(), 5 * 67);
    std::vector<std::byte> x(packed_bytes(*k, 5, 67)), y(x.size());
    pack_weights(*k, 5, 67, halves.data(), DType::f16, 67, x.data());
    pack_weights(*k, 5, 67, back.data(), DType::f32, 67, y.data());
    EXPECT_EQ(x, y);
  }
}

TEST(Gemm, PanelsCanBePackedApart) {
  for (const GemmKernel* k : all_kernels()) {
    const std::int64_t N = 3 * k->nr + 1, K = 33;
    const auto w = random_values(N * K, DType::bf16, 7);
    std::vector<std::byte> whole(packed_bytes(*k, N, K)), parts(whole.size());
    pack_weights(*k, N, K, w.data(), DType::bf16, K, whole.data());
    pack_weight_panels(*k, N, K, w.data(), DType::bf16, K, parts.data(), 2, 4);
    pack_weight_panels(*k, N, K, w.data(), DType::bf16, K, parts.data(), 0, 2);
    EXPECT_EQ(whole, parts);
  }
}

TEST(Gemm, IntegerWeightsAreRefused) {
  std::int32_t w[1] = {};
  float out[64];
  EXPECT_THROW(pack_weights(pick_gemm(DType::f32), 1, 1, w, DType::i32, 1, out), Error);
}

TEST(Gemm, EmptySumsAndEmptyOutputs) {
  for (const GemmKernel* k : all_kernels()) {
    run_case(*k, {.M = 3, .N = 5, .K = 0, .bias = true});
    run_case(*k, {.M = 0, .N = 5, .K = 4});
    run_case(*k, {.M = 3, .N = 0, .K = 4});
  }
}

TEST(Gemm, NanStaysInItsRow) {
  for (const GemmKernel* k : all_kernels()) {
    const std::int64_t M = k->mr + 2, N = 5, K = 7;
    auto A = random_values(M * K, DType::f32, 1);
    reinterpret_cast<float*>(A.data())[2 * K + 3] = std::numeric_limits<float>::quiet_NaN();
    std::vector<std::byte> typed(static_cast<std::size_t>(M * K) * size_of(k->type));
    convert(DType::f32, A.data(), k->type, typed.data(), static_cast<std::size_t>(M * K));
    const auto W = random_values(N * K, DType::f32, 2);
    Buffer packed(packed_bytes(*k, N, K)), scratch(gemm_scratch_bytes(*k, M, N, K, 1));
    pack_weights(*k, N, K, W.data(), DType::f32, K, packed.data());
    for (Activation act : {Activation::none, Activation::relu, Activation::gelu_erf, Activation::silu}) {
      for (DType c_type : {DType::f32, k->type}) {
        std::vector<std::byte> C(static_cast<std::size_t>(M * N) * size_of(c_type));
        GemmArgs args{.M = M,
                      .N = N,
                      .K = K,
                      .A = typed.data(),
                      .lda = K,
                      .W = packed.data(),
                      .C = C.data(),
                      .ldc = N,
                      .c_type = c_type,
                      .epilogue = {}};
        args.epilogue.act = act;
        ThreadPool pool(1);
        gemm(*k, args, pool, scratch.data());
        for (std::int64_t i = 0; i < M * N; ++i) {
          EXPECT_EQ(std::isnan(read(C.data(), c_type, i)), i / N == 2) << k->name << " activation " << int(act);
        }
      }
    }
  }
}

TEST(GemmTable, ScalarIsAlwaysThereAndTheCapHolds) {
  for (DType type : {DType::f32, DType::bf16}) {
    EXPECT_EQ(pick_gemm(type, Isa::scalar).isa, Isa::scalar);
    for (Isa cap : usable_isas()) EXPECT_LE(pick_gemm(type, cap).isa, cap);
    const auto choices = explain_gemm(type, Isa::scalar);
    EXPECT_TRUE(choices.back().refused.empty());
    for (std::size_t i = 0; i + 1 < choices.size(); ++i) EXPECT_FALSE(choices[i].refused.empty());
  }
  EXPECT_THROW(pick_gemm(DType::i8), Error);
}

TEST(GemmTable, Bf16DotProductsRankByMaker) {
  const auto rate = [](std::string_view name, const CpuInfo& info) {
    for (const GemmKernel& k : gemm_kernels()) {
      if (k.name == name) return k.rate(info);
    }
    return -1.0;
  };
  if (rate("gemm_bf16_avx512", {}) < 0) GTEST_SKIP() << "a table without AVX-512";
  CpuInfo amd, intel;
  amd.model = "AMD EPYC 9654";
  intel.model = "Intel(R) Xeon(R) Platinum 8480+";
  EXPECT_GT(rate("gemm_bf16_avx512_bf16", amd), rate("gemm_bf16_avx512", amd));
  EXPECT_LT(rate("gemm_bf16_avx512_bf16", intel), rate("gemm_bf16_avx512", intel));
}

// Results that are rounded to bf16 come from shorter formulas: half a unit of bf16 (2^-8) and their 2^-13.
TEST(Gemm, ActivationsForBf16AreWithinTwoToTheMinusThirteen) {
  constexpr int kColumns = 32;
  for (const GemmKernel& kernel : gemm_kernels()) {
    if (!supports(cpu(), kernel.isa)) continue;
    for (Activation act : {Activation::gelu_tanh, Activation::silu}) {
      Epilogue e;
      e.act = act;
      alignas(64) float tile[kColumns];
      bf16 out[kColumns];
      for (int i = -8 * 64; i < 8 * 64; ++i) {
        for (int j = 0; j < kColumns; ++j) tile[j] = (static_cast<float>(i) + static_cast<float>(j) / kColumns) / 64.0f;
        kernel.epilogue(tile, kColumns, 0, 0, 1, kColumns, e, out, kColumns, DType::bf16);
        for (int j = 0; j < kColumns; ++j) {
          const double x = tile[j],
                       u = act == Activation::silu ? x : 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
          const double exact = x / (1 + std::exp(-u));
          ASSERT_NEAR(to_f32(out[j]), exact, std::abs(exact) * (std::ldexp(1, -8) + std::ldexp(1, -13)) + 1e-7)
              << kernel.name << " at " << x;
        }
      }
    }
  }
}

}  // namespace
}  // namespace thimble::kernels
