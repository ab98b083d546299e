// The depthwise kernel over vectors of channels, once, on kernels/simd: included by the ISA files only.
#pragma once

#include "kernels/conv/depthwise.h"
#include "kernels/gemm/functions.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

using EpilogueFunction = decltype(&internal::epilogue_scalar);

constexpr std::int64_t kPixels = 16;  // of a tile, a multiple of kTogether
constexpr std::int64_t kTileChannels = 64;
constexpr std::int64_t kTogether = 4;  // pixels that share a load of weights

// First and one-past-last tap whose input lies in [0, size).
struct TapRange {
  std::int64_t begin, end;
};
THIMBLE_INLINE TapRange taps_inside(std::int64_t i0, std::int64_t dilation, std::int64_t taps, std::int64_t size) {
  std::int64_t begin = 0, end = taps;
  while (begin < end && i0 + begin * dilation < 0) ++begin;
  while (end > begin && i0 + (end - 1) * dilation >= size) --end;
  return {begin, end};
}

struct FullVector {
  template <class T>
  THIMBLE_INLINE Vec operator()(const T* p) const {
    return load(p);
  }
};
struct PartVector {
  std::int64_t n;
  template <class T>
  THIMBLE_INLINE Vec operator()(const T* p) const {
    return load_n(p, n);
  }
};

// Distances in elements; locals of the caller, so that they stay in registers across stores.
struct Steps {
  std::int64_t pixel, tap, row;  // of x: from one output pixel, tap or tap row to the next
  std::int64_t weight, weight_row;
};

// P pixels with all taps of a row inside the picture. `in` and `w` are at the first tap row that lies inside.
// kWidth: kw where it is known when compiling, so that the loop over it is unrolled; else 0. kNear: pixels and taps are
// both one pixel apart, so that an input serves all pixels from one load.
template <int P, int kWidth, bool kNear, class T, class Read>
THIMBLE_INLINE void inner_pixels(const Steps& s, std::int64_t rows, std::int64_t kw, const T* in, const float* w,
                                 float* tile, Read read) {
  Vec acc[P];
#pragma GCC unroll 4
  for (auto& a : acc) a = set(0.0f);
  for (std::int64_t ky = 0; ky < rows; ++ky, in += s.row, w += s.weight_row) {
    if constexpr (kNear && kWidth > 0) {
      Vec x[P + kWidth - 1];
#pragma GCC unroll 8
      for (int i = 0; i < P + kWidth - 1; ++i) x[i] = read(in + i * s.tap);
#pragma GCC unroll 5
      for (int kx = 0; kx < kWidth; ++kx) {
        const Vec weight = load(w + kx * s.weight);
#pragma GCC unroll 4
        for (int i = 0; i < P; ++i) acc[i] = hn::MulAdd(x[i + kx], weight, acc[i]);
      }
      continue;
    }
#pragma GCC unroll 5
    for (std::int64_t kx = 0; kx < (kWidth ? kWidth : kw); ++kx) {
      const Vec weight = load(w + kx * s.weight);
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < P; ++i) {
        acc[i] = hn::MulAdd(read(in + kx * s.tap + i * s.pixel), weight, acc[i]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < P; ++i) store(acc[i], tile + i * kTileChannels);
}

// One pixel, of whose taps `xs` lie inside; `in` and `w` are at the first tap row and at tap 0.
template <class T, class Read>
THIMBLE_INLINE void edge_pixel(const Steps& s, std::int64_t rows, TapRange xs, const T* in, const float* w, float* tile,
                               Read read) {
  Vec acc[2] = {set(0.0f), set(0.0f)};
  for (std::int64_t ky = 0; ky < rows; ++ky, in += s.row, w += s.weight_row) {
    for (std::int64_t kx = xs.begin; kx < xs.end; ++kx) {
      acc[kx & 1] = hn::MulAdd(read(in + kx * s.tap), load(w + kx * s.weight), acc[kx & 1]);
    }
  }
  store(hn::Add(acc[0], acc[1]), tile);
}

// Up to kTogether pixels of a doubled picture, anywhere; taps outside read zeros, so that the sums stay independent of
// each other.
template <class T, class Read>
void border_pixels(const DepthwiseRow& r, TapRange ys, std::int64_t ix0, std::int64_t count, std::int64_t c,
                   float* tile, Read read) {
  Vec acc[kTogether];
#pragma GCC unroll 4
  for (auto& a : acc) a = set(0.0f);
  alignas(64) static constexpr T kZeros[kLanes] = {};
  const int up = r.upsample ? 1 : 0;
  const std::int64_t width = r.W << up;
  for (std::int64_t ky = ys.begin; ky < ys.end; ++ky) {
    const T* const row = static_cast<const T*>(r.x) + ((r.iy0 + ky * r.dilation_h) >> up) * r.W * r.x_ld + c;
    const float* w = r.w + ky * r.kw * r.channel_step + c;
    for (std::int64_t kx = 0; kx < r.kw; ++kx, w += r.channel_step) {
      const Vec weight = load(w);
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < kTogether; ++i) {
        const std::int64_t ix = ix0 + i * r.stride_w + kx * r.dilation_w;
        const bool inside = i < count && ix >= 0 && ix < width;
        acc[i] = hn::MulAdd(read(inside ? row + (ix >> up) * r.x_ld : kZeros), weight, acc[i]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::int64_t i = 0; i < kTogether; ++i) store(acc[i], tile + i * kTileChannels);
}

// One vector of channels at channel c, pixels [ox, ox + count) into tile rows kTileChannels apart.
template <class T, int kWidth, bool kNear, class Read>
THIMBLE_INLINE void channels(const DepthwiseRow& r, const Steps& s, TapRange ys, std::int64_t ox, std::int64_t count,
                             std::int64_t c, float* tile, Read read) {
  const std::int64_t rows = ys.end - ys.begin, kw = r.kw, stride = r.stride_w;
  const float* const w = r.w + ys.begin * s.weight_row + c;
  std::int64_t ix0 = ox * stride - r.pad_left;
  if (r.upsample) {
    for (std::int64_t p = 0; p < count; p += kTogether, ix0 += kTogether * stride, tile += kTogether * kTileChannels) {
      border_pixels<T>(r, ys, ix0, count - p, c, tile, read);
    }
    return;
  }
  const std::int64_t last = r.W - 1 - (kw - 1) * r.dilation_w;  // the last first tap with all taps inside
  const T* const x = static_cast<const T*>(r.x) + (r.iy0 + ys.begin * r.dilation_h) * r.W * r.x_ld + c;
  for (std::int64_t p = 0; p < count;) {
    std::int64_t n = 1;
    if (ix0 < 0 || ix0 > last) {
      // Only addresses inside the picture are read: `in` itself may lie before it.
      const TapRange xs = taps_inside(ix0, r.dilation_w, kw, r.W);
      edge_pixel(s, rows, xs, x + ix0 * r.x_ld, w, tile, read);
    } else {
      const T* in = x + ix0 * r.x_ld;
      n = (last - ix0) / stride + 1;
      if (n > count - p) n = count - p;
      std::int64_t left = n;
      float* out = tile;
      for (; left >= kTogether; left -= kTogether, in += kTogether * s.pixel, out += kTogether * kTileChannels) {
        inner_pixels<kTogether, kWidth, kNear>(s, rows, kw, in, w, out, read);
      }
      if (left == 3) inner_pixels<3, kWidth, kNear>(s, rows, kw, in, w, out, read);
      if (left == 2) inner_pixels<2, kWidth, kNear>(s, rows, kw, in, w, out, read);
      if (left == 1) inner_pixels<1, kWidth, kNear>(s, rows, kw, in, w, out, read);
    }
    p += n;
    ix0 += n * stride;
    tile += n * kTileChannels;
  }
}

template <class T, int kWidth, bool kNear>
void depthwise_tiles(const DepthwiseRow& r, EpilogueFunction epilogue) {
  static_assert(kTileChannels % kLanes == 0 && kDepthwiseChannelStep % kLanes == 0);
  alignas(64) float tile[kPixels * kTileChannels];
  const Steps steps{r.stride_w * r.x_ld, r.dilation_w * r.x_ld, r.dilation_h * r.W * r.x_ld, r.channel_step,
                    r.kw * r.channel_step};
  const TapRange ys = taps_inside(r.iy0, r.dilation_h, r.kh, r.H << (r.upsample ? 1 : 0));
  for (std::int64_t ox = 0; ox < r.OW; ox += kPixels) {
    const std::int64_t count = r.OW - ox < kPixels ? r.OW - ox : kPixels;
    for (std::int64_t c0 = 0; c0 < r.C; c0 += kTileChannels) {
      const std::int64_t n = r.C - c0 < kTileChannels ? r.C - c0 : kTileChannels;
      std::int64_t c = 0;
      for (; c + kLanes <= n; c += kLanes) {
        channels<T, kWidth, kNear>(r, steps, ys, ox, count, c0 + c, tile + c, FullVector());
      }
      if (c < n) channels<T, kWidth, kNear>(r, steps, ys, ox, count, c0 + c, tile + c, PartVector{n - c});
      epilogue(tile, kTileChannels, r.m0 + ox, c0, static_cast<int>(count), static_cast<int>(n), *r.epilogue, r.y,
               r.y_ld, r.y_type);
    }
  }
}

template <class T>
void depthwise_row(const DepthwiseRow& r, EpilogueFunction epilogue) {
  const bool near = r.stride_w == 1 && r.dilation_w == 1;
  auto* run = depthwise_tiles<T, 0, false>;
  if (r.kw == 3) run = near ? depthwise_tiles<T, 3, true> : depthwise_tiles<T, 3, false>;
  if (r.kw == 5) run = near ? depthwise_tiles<T, 5, true> : depthwise_tiles<T, 5, false>;
  run(r, epilogue);
}

}  // namespace
}  // namespace thimble::kernels
