// What the two 256-bit micro-kernels share; for avx2.cpp and avx_vnni.cpp only.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace thimble::kernels {
namespace {

struct Vector256 {
  using Vec = __m256i;
  using Float = __m256;
  static constexpr int kLanes = 8;
  static Vec zero() { return _mm256_setzero_si256(); }
  static Vec load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(std::int32_t* p, Vec v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static Vec add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static Vec broadcast(const char* p) {
    int word;
    std::memcpy(&word, p, sizeof(word));
    return _mm256_set1_epi32(word);
  }
  static Float load_f(const float* p) { return _mm256_loadu_ps(p); }
  static void store_f(float* p, Float v) { _mm256_storeu_ps(p, v); }
  static Float fold(Float total, Vec sum, Float scale) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, total);
  }
};

}  // namespace
}  // namespace thimble::kernels
