#include "bench/peaks.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/cpu.h"
#include "base/memory.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace thimble::bench {
namespace {

constexpr int kChains = 12;  // independent sums: more than latency times units of every processor known
constexpr std::int64_t kSteps = 200'000;
constexpr int kRuns = 60;

// A loop of kSteps times kChains operations, which returns something that depends on all of them.
using Loop = float (*)();

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float fma_avx2() {
  __m256 acc[kChains];
  for (auto& a : acc) a = _mm256_set1_ps(1.0f);
  const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) a = _mm256_fmadd_ps(a, x, y);
  }
  float sum = 0;
  for (auto& a : acc) sum += _mm256_cvtss_f32(a);
  return sum;
}

__attribute__((target("avx512f"))) float fma_avx512() {
  __m512 acc[kChains];
  for (auto& a : acc) a = _mm512_set1_ps(1.0f);
  const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) a = _mm512_fmadd_ps(a, x, y);
  }
  float sum = 0;
  for (auto& a : acc) sum += _mm512_cvtss_f32(a);
  return sum;
}

__attribute__((target("avx512f,avx512bf16"))) float dot_avx512() {
  __m512 acc[kChains];
  for (auto& a : acc) a = _mm512_setzero_ps();
  const auto x = (__m512bh)_mm512_set1_epi32(0x3f803f80), y = (__m512bh)_mm512_set1_epi32(0x3c003c00);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) a = _mm512_dpbf16_ps(a, x, y);
  }
  float sum = 0;
  for (auto& a : acc) sum += _mm512_cvtss_f32(a);
  return sum;
}

__attribute__((target("avx2"))) float dot_i8_avx2() {
  __m256i acc[kChains];
  for (auto& a : acc) a = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i x = _mm256_set1_epi32(0x01020304);
  const __m256i y = _mm256_set1_epi32(0x04030201);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) {
      __asm__("" : "+x"(x));  // the product is the same every time, and must be computed every time
      a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), ones));
    }
  }
  __m256i sum = acc[0];
  for (auto& a : acc) sum = _mm256_xor_si256(sum, a);
  return static_cast<float>(_mm256_extract_epi32(sum, 0));
}

__attribute__((target("avxvnni"))) float dot_i8_avx_vnni() {
  __m256i acc[kChains];
  for (auto& a : acc) a = _mm256_setzero_si256();
  const __m256i x = _mm256_set1_epi32(0x01020304), y = _mm256_set1_epi32(0x04030201);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) a = _mm256_dpbusd_avx_epi32(a, x, y);
  }
  __m256i sum = acc[0];
  for (auto& a : acc) sum = _mm256_xor_si256(sum, a);
  return static_cast<float>(_mm256_extract_epi32(sum, 0));
}

__attribute__((target("avx512f,avx512vnni"))) float dot_i8_avx512_vnni() {
  __m512i acc[kChains];
  for (auto& a : acc) a = _mm512_setzero_si512();
  const __m512i x = _mm512_set1_epi32(0x01020304), y = _mm512_set1_epi32(0x04030201);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& a : acc) a = _mm512_dpbusd_epi32(a, x, y);
  }
  __m512i sum = acc[0];
  for (auto& a : acc) sum = _mm512_xor_si512(sum, a);
  int lanes[16];
  _mm512_storeu_si512(lanes, sum);
  return static_cast<float>(lanes[0]);
}

// In static storage, because the intrinsic does not say that it reads all 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constinit const TileConfig kTileConfig;

__attribute__((target("amx-tile,amx-bf16"))) float dot_amx() {
  __asm__ volatile("" : : "r"(&kTileConfig) : "memory");
  _tile_loadconfig(&kTileConfig);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t i = 0; i < kSteps / 4; ++i) {  // six chains of latency 52, one product in 16 cycles
    _tile_dpbf16ps(0, 6, 7);
    _tile_dpbf16ps(1, 6, 7);
    _tile_dpbf16ps(2, 6, 7);
    _tile_dpbf16ps(3, 6, 7);
    _tile_dpbf16ps(4, 6, 7);
    _tile_dpbf16ps(5, 6, 7);
  }
  _tile_release();
  return 0;
}

__attribute__((target("amx-tile,amx-int8"))) float dot_i8_amx() {
  __asm__ volatile("" : : "r"(&kTileConfig) : "memory");
  _tile_loadconfig(&kTileConfig);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t i = 0; i < kSteps / 4; ++i) {
    _tile_dpbssd(0, 6, 7);
    _tile_dpbssd(1, 6, 7);
    _tile_dpbssd(2, 6, 7);
    _tile_dpbssd(3, 6, 7);
    _tile_dpbssd(4, 6, 7);
    _tile_dpbssd(5, 6, 7);
  }
  _tile_release();
  return 0;
}
#elif defined(__aarch64__)
float fma_neon() {
  constexpr int chains = 2 * kChains;  // four units of latency 4
  float32x4_t acc[chains];
  for (auto& a : acc) a = vdupq_n_f32(1.0f);
  const float32x4_t x = vdupq_n_f32(0.999f), y = vdupq_n_f32(0.001f);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 24
    for (auto& a : acc) a = vfmaq_f32(a, x, y);
  }
  float sum = 0;
  for (auto& a : acc) sum += vgetq_lane_f32(a, 0);
  return sum;
}
#endif

volatile float sink;  // keeps results alive

// Best GFLOP/s of all threads together; flops is what one call of the loop does.
[[maybe_unused]] double rate(ThreadPool& pool, Loop loop, double flops) {
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    const double start = now(pool);
    pool.on_all([&](int, int) { sink = loop(); });
    best = std::min(best, now(pool) - start);
  }
  return flops * pool.threads() / best * 1e-9;
}

double read_bandwidth(ThreadPool& pool) {
  const std::size_t words = (std::size_t{256} << 20) / 8;
  std::vector<Buffer> data;
  for (int t = 0; t < pool.threads(); ++t) data.emplace_back(words * 8);
  pool.on_all([&](int t, int) { std::memset(data[static_cast<std::size_t>(t)].data(), t + 1, words * 8); });
  double best = 1e30;
  for (int run = 0; run < 5; ++run) {
    const double start = now(pool);
    pool.on_all([&](int t, int) {
      const std::uint64_t* p = data[static_cast<std::size_t>(t)].as<std::uint64_t>().data();
      std::uint64_t sums[16] = {};
      for (std::size_t i = 0; i < words; i += 16) {
        for (std::size_t j = 0; j < 16; ++j) sums[j] ^= p[i + j];
      }
      std::uint64_t all = 0;
      for (auto s : sums) all ^= s;
      sink = static_cast<float>(all);
    });
    best = std::min(best, now(pool) - start);
  }
  return static_cast<double>(words) * 8 * pool.threads() / best * 1e-9;
}

}  // namespace

double now(const ThreadPool& pool) {
  if (pool.threads() == 1) {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Peaks measure_peaks(ThreadPool& pool) {
  Peaks peaks;
  [[maybe_unused]] const CpuInfo& info = cpu();
  [[maybe_unused]] const double steps = static_cast<double>(kSteps);
#if defined(__x86_64__)
  if (info.avx2) peaks.fma_f32 = rate(pool, fma_avx2, steps * kChains * 8 * 2);
  if (info.avx512) peaks.fma_f32 = std::max(peaks.fma_f32, rate(pool, fma_avx512, steps * kChains * 16 * 2));
  if (info.avx512_bf16) peaks.dot_bf16 = rate(pool, dot_avx512, steps * kChains * 32 * 2);
  const double bytes = steps * kChains * 32 * 2;  // of 256 bits
  if (info.avx2) peaks.i8_avx2 = rate(pool, dot_i8_avx2, bytes);
  if (info.avx_vnni) peaks.i8_avx_vnni = rate(pool, dot_i8_avx_vnni, bytes);
  if (info.avx512_vnni) peaks.i8_avx512_vnni = rate(pool, dot_i8_avx512_vnni, 2 * bytes);
  if (info.amx_int8) peaks.i8_amx = rate(pool, dot_i8_amx, steps / 4 * 6 * 16 * 16 * 64 * 2);
  if (info.amx_bf16) peaks.amx_bf16 = rate(pool, dot_amx, steps / 4 * 6 * 16 * 16 * 32 * 2);
#elif defined(__aarch64__)
  peaks.fma_f32 = rate(pool, fma_neon, steps * 2 * kChains * 4 * 2);
#endif
  peaks.read_gbs = read_bandwidth(pool);
  return peaks;
}

}  // namespace thimble::bench
