// Pictures to int8 over vectors, once, on kernels/simd and the arithmetic of qgemm/: included by the ISA files only.
#pragma once

#include "kernels/conv/round.h"
#include "kernels/qgemm/quantize-inl.h"

namespace thimble::kernels {
namespace {

Range range_of(const void* x, DType type, std::int64_t n) {
  const RowRange r =
      type == DType::f32 ? row_range(static_cast<const float*>(x), n) : row_range(static_cast<const bf16*>(x), n);
  return {r.low, r.high, r.poison};
}

template <class T, class Out>
void round_typed(const RoundJob& job) {
  const auto* x = static_cast<const T*>(job.x);
  auto* out = reinterpret_cast<Out*>(job.out);
  const Scaling s{job.inverse, job.low, job.high, job.zero};
  for_vectors(
      job.n, [&](std::int64_t i) { put(quantize(load(x + i), s), out + i); },
      [&](std::int64_t i, std::int64_t rest) {
        Out last[64];
        put(quantize(load_n(x + i, rest), s), last);
#pragma GCC unroll 1
        for (std::int64_t j = 0; j < rest; ++j) out[i + j] = last[j];
      });
}

template <class T>
void round_to_panel(const RoundJob& job) {
  switch (job.panel) {
    case QPanel::s8: return round_typed<T, std::int8_t>(job);
    case QPanel::u8: return round_typed<T, std::uint8_t>(job);
    case QPanel::s16: return round_typed<T, std::int16_t>(job);
  }
}

void round_numbers(const RoundJob& job) {
  (job.type == DType::f32 ? round_to_panel<float> : round_to_panel<bf16>)(job);
}

}  // namespace
}  // namespace thimble::kernels
