// The kernels of direct.h over vectors, once, on kernels/simd: included by the ISA files only.
#pragma once

#include <limits>
#include <utility>

#include "kernels/conv/depthwise-inl.h"
#include "kernels/conv/direct.h"

namespace thimble::kernels {
namespace {

// Pixels of a tile: with two vectors of outputs each, they and the weights fill the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int kDirectPixels = 12;
#elif HWY_TARGET == HWY_SCALAR
constexpr int kDirectPixels = 4;
#else
constexpr int kDirectPixels = 6;
#endif
constexpr int kDirectColumns = 2 * static_cast<int>(kLanes);
constexpr int kNarrowPixels = 4;

// Taps that lie inside for all pixels at hand, as stretches of `run` numbers in one piece.
struct Stretches {
  std::int64_t rows, taps, run;
  std::int64_t row_step, tap_step, w_row_step, w_tap_step;  // in elements
};

// Output pixels [ox, ox + count) whose taps inside the picture are the same; begin: the first of them.
struct Reach {
  TapRange y, x;
};

THIMBLE_INLINE Stretches stretches(const DirectRow& r, Reach reach, std::int64_t w_pixel) {
  Stretches s{reach.y.end - reach.y.begin,
              reach.x.end - reach.x.begin,
              r.C,
              r.dilation_h * r.W * r.x_ld,
              r.dilation_w * r.x_ld,
              r.kw * w_pixel,
              w_pixel};
  return s;
}

// What most epilogues are: done on the sums where they are, in registers. Of a tile's first pixel and column.
struct Finish {
  const float* bias;      // null: none
  const float* residual;  // null: none
  float* y;
  std::int64_t residual_ld, y_ld, columns;
  float least, most;
  bool act_last;
};

// True when the epilogue is such a one for `rows` pixels from m.
THIMBLE_INLINE bool finishes(const DirectRow& r, std::int64_t m, std::int64_t rows) {
  const Epilogue& e = *r.epilogue;
  return r.y_type == DType::f32 && (e.act == Activation::none || e.act == Activation::relu) && !e.gate && !e.slope &&
         (e.bias_batch_stride == 0 || m / e.rows_per_batch == (m + rows - 1) / e.rows_per_batch);
}

THIMBLE_INLINE Finish finish_at(const DirectRow& r, std::int64_t m, std::int64_t n0, std::int64_t columns) {
  const Epilogue& e = *r.epilogue;
  const std::int64_t batch = e.bias_batch_stride == 0 ? 0 : m / e.rows_per_batch;
  return {.bias = e.bias ? e.bias + batch * e.bias_batch_stride + n0 : nullptr,
          .residual = e.residual ? static_cast<const float*>(e.residual) + m * e.residual_ld + n0 : nullptr,
          .y = static_cast<float*>(r.y) + m * r.y_ld + n0,
          .residual_ld = e.residual_ld,
          .y_ld = r.y_ld,
          .columns = columns,
          .least = e.act == Activation::relu ? 0.0f : -std::numeric_limits<float>::infinity(),
          .most = e.most,
          .act_last = e.act_last};
}

// `columns`: of this vector; all of them are read and written at once when it is whole.
template <bool whole, int P, int NV>
THIMBLE_INLINE void finish_column(const Vec (&acc)[P][NV], int v, const Finish& f, std::int64_t columns) {
  const std::int64_t j = v * static_cast<std::int64_t>(kLanes);
  const auto read = [&](const float* p) { return whole ? load(p + j) : load_n(p + j, columns); };
  const auto write = [&](Vec x, float* p) { whole ? store(x, p + j) : store_n(x, p + j, columns); };
  const Vec bias = f.bias ? read(f.bias) : set(0.0f), least = set(f.least), most = set(f.most);
  const auto within = [&](Vec x) {  // NaN passes through
    x = hn::IfThenElse(hn::Lt(x, least), least, x);
    return hn::IfThenElse(hn::Gt(x, most), most, x);
  };
  if (!f.residual) {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) write(within(hn::Add(acc[p][v], bias)), f.y + p * f.y_ld);
  } else if (f.act_last) {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
      const Vec more = read(f.residual + p * f.residual_ld);
      write(within(hn::Add(hn::Add(acc[p][v], bias), more)), f.y + p * f.y_ld);
    }
  } else {
#pragma GCC unroll 16
    for (int p = 0; p < P; ++p) {
      const Vec more = read(f.residual + p * f.residual_ld);
      write(hn::Add(within(hn::Add(acc[p][v], bias)), more), f.y + p * f.y_ld);
    }
  }
}

// Sums of a tile: finished into their place, or, when the epilogue is another, into `tile`.
template <int P, int NV>
THIMBLE_INLINE void direct_tile(const Stretches& s, const float* in, std::int64_t pixel, const float* w, float* tile,
                                const Finish* finish) {
  Vec acc[P][NV];
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[p][v] = set(0.0f);
  }
  for (std::int64_t ky = 0; ky < s.rows; ++ky) {
    for (std::int64_t kx = 0; kx < s.taps; ++kx) {
      const float* a = in + ky * s.row_step + kx * s.tap_step;
      const float* b = w + ky * s.w_row_step + kx * s.w_tap_step;
      for (std::int64_t i = 0; i < s.run; ++i, ++a, b += kDirectColumns) {
        Vec weight[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) weight[v] = load(b + v * kLanes);
#pragma GCC unroll 16
        for (int p = 0; p < P; ++p) {
          const Vec x = set(a[p * pixel]);
#pragma GCC unroll 2
          for (int v = 0; v < NV; ++v) acc[p][v] = hn::MulAdd(x, weight[v], acc[p][v]);
        }
      }
    }
  }
  if (finish != nullptr) {
    constexpr std::int64_t lanes = kLanes;
    if constexpr (NV == 2) finish_column<true>(acc, 0, *finish, lanes);
    const std::int64_t left = finish->columns - (NV - 1) * lanes;
    left == lanes ? finish_column<true>(acc, NV - 1, *finish, lanes) : finish_column<false>(acc, NV - 1, *finish, left);
    return;
  }
#pragma GCC unroll 16
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) store(acc[p][v], tile + p * kDirectColumns + v * kLanes);
  }
}

template <int P, int NV>
void direct_pixels(const Stretches& s, const float* in, std::int64_t pixel, const float* w, float* tile,
                   const Finish* finish) {
  direct_tile<P, NV>(s, in, pixel, w, tile, finish);
}

template <int... P>
THIMBLE_INLINE void dispatch_direct(std::integer_sequence<int, P...>, int count, bool wide, const Stretches& s,
                                    const float* in, std::int64_t pixel, const float* w, float* tile,
                                    const Finish* finish) {
  static constexpr decltype(&direct_pixels<1, 1>) kTiles[2][sizeof...(P)] = {{direct_pixels<P + 1, 1>...},
                                                                             {direct_pixels<P + 1, 2>...}};
  kTiles[wide][count - 1](s, in, pixel, w, tile, finish);
}

// Calls f(ox, count, reach) for stretches of the row: pixels at a border one by one, those inside in even groups.
template <class F>
THIMBLE_INLINE void for_pixels(const DirectRow& r, std::int64_t most, F f) {
  const TapRange ys = taps_inside(r.iy0, r.dilation_h, r.kh, r.H);
  const std::int64_t reach = (r.kw - 1) * r.dilation_w;
  std::int64_t ox = 0;
  const auto inside = [&](std::int64_t o) {
    const std::int64_t ix = o * r.stride_w - r.pad_left;
    return ix >= 0 && ix + reach < r.W;
  };
  while (ox < r.OW) {
    const std::int64_t ix = ox * r.stride_w - r.pad_left;
    if (!inside(ox)) {
      f(ox, std::int64_t{1}, Reach{ys, taps_inside(ix, r.dilation_w, r.kw, r.W)});
      ++ox;
      continue;
    }
    std::int64_t end = (r.W - 1 - reach + r.pad_left) / r.stride_w + 1;  // one past the last pixel inside
    if (end > r.OW) end = r.OW;
    std::int64_t groups = (end - ox + most - 1) / most;
    for (; groups > 0; --groups) {
      const std::int64_t count = (end - ox + groups - 1) / groups;
      f(ox, count, Reach{ys, {0, r.kw}});
      ox += count;
    }
  }
}

[[maybe_unused]] void direct_row(const DirectRow& r, EpilogueFunction epilogue) {
  alignas(64) float tile[kDirectPixels * kDirectColumns];
  const auto* x = static_cast<const float*>(r.x);
  const std::int64_t w_pixel = r.C * kDirectColumns;
  const bool joined = r.dilation_w == 1 && r.x_ld == r.C;  // taps of a row lie in one piece
  const float* w = r.w;
  const bool at_once = finishes(r, r.m0, r.OW);
  for (std::int64_t n0 = 0; n0 < r.O; n0 += kDirectColumns, w += r.kh * r.kw * w_pixel) {
    const std::int64_t columns = r.O - n0 < kDirectColumns ? r.O - n0 : kDirectColumns;
    for_pixels(r, kDirectPixels, [&](std::int64_t ox, std::int64_t count, Reach reach) {
      Stretches s = stretches(r, reach, w_pixel);
      if (joined) {
        s.run *= s.taps;
        s.taps = s.taps > 0;
      }
      const std::int64_t iy = r.iy0 + reach.y.begin * r.dilation_h;
      const std::int64_t ix = ox * r.stride_w - r.pad_left + reach.x.begin * r.dilation_w;
      const float* in = s.rows > 0 && s.taps > 0 ? x + (iy * r.W + ix) * r.x_ld : x;
      const auto sums = [&](const Finish* finish) {
        dispatch_direct(std::make_integer_sequence<int, kDirectPixels>(), static_cast<int>(count), columns > kLanes, s,
                        in, r.stride_w * r.x_ld, w + (reach.y.begin * r.kw + reach.x.begin) * w_pixel, tile, finish);
      };
      if (at_once) {
        const Finish finish = finish_at(r, r.m0 + ox, n0, columns);
        return sums(&finish);
      }
      sums(nullptr);
      epilogue(tile, kDirectColumns, r.m0 + ox, n0, static_cast<int>(count), static_cast<int>(columns), *r.epilogue,
               r.y, r.y_ld, r.y_type);
    });
  }
}

// Sums of products over vectors of channels, then over the lanes of each.
template <int P, class T>
THIMBLE_INLINE void narrow_tile(const DirectRow& r, const Stretches& s, const T* in, std::int64_t pixel, const float* w,
                                float* tile) {
  constexpr int kOut = static_cast<int>(kNarrowOutputs);
  Vec acc[P][kOut];
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int n = 0; n < kOut; ++n) acc[p][n] = set(0.0f);
  }
  for (std::int64_t ky = 0; ky < s.rows; ++ky) {
    for (std::int64_t kx = 0; kx < s.taps; ++kx) {
      const T* a = in + ky * s.row_step + kx * s.tap_step;
      const float* b = w + ky * s.w_row_step + kx * s.w_tap_step;
      const auto step = [&](std::int64_t c, auto read) {
        Vec weight[kOut];
#pragma GCC unroll 4
        for (int n = 0; n < kOut; ++n) weight[n] = load(b + n * r.channel_step + c);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const Vec x = read(a + p * pixel + c);
#pragma GCC unroll 4
          for (int n = 0; n < kOut; ++n) acc[p][n] = hn::MulAdd(x, weight[n], acc[p][n]);
        }
      };
      std::int64_t c = 0;
      for (; c + kLanes <= r.C; c += kLanes) step(c, FullVector());
      if (c < r.C) step(c, PartVector{r.C - c});
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
#pragma GCC unroll 4
    for (int n = 0; n < kOut; ++n) tile[p * kLanes * kOut + n] = sum_lanes(acc[p][n]);
  }
}

template <class T>
void narrow_row(const DirectRow& r, EpilogueFunction epilogue) {
  constexpr std::int64_t ld = kLanes * kNarrowOutputs;  // the epilogue reads whole vectors
  alignas(64) float tile[kNarrowPixels * ld] = {};
  const auto* x = static_cast<const T*>(r.x);
  const std::int64_t w_pixel = kNarrowOutputs * r.channel_step;
  for_pixels(r, kNarrowPixels, [&](std::int64_t ox, std::int64_t count, Reach reach) {
    const Stretches s = stretches(r, reach, w_pixel);
    const std::int64_t iy = r.iy0 + reach.y.begin * r.dilation_h;
    const std::int64_t ix = ox * r.stride_w - r.pad_left + reach.x.begin * r.dilation_w;
    const T* in = s.rows > 0 && s.taps > 0 ? x + (iy * r.W + ix) * r.x_ld : x;
    const float* w = r.w + (reach.y.begin * r.kw + reach.x.begin) * w_pixel;
    const std::int64_t pixel = r.stride_w * r.x_ld;
    if (count == kNarrowPixels) {
      narrow_tile<kNarrowPixels, T>(r, s, in, pixel, w, tile);
    } else {
      for (std::int64_t p = 0; p < count; ++p) narrow_tile<1, T>(r, s, in + p * pixel, pixel, w, tile + p * ld);
    }
    epilogue(tile, static_cast<int>(ld), r.m0 + ox, 0, static_cast<int>(count), static_cast<int>(r.O), *r.epilogue, r.y,
             r.y_ld, r.y_type);
  });
}

}  // namespace
}  // namespace thimble::kernels
