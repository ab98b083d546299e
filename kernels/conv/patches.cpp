#include "kernels/conv/patches.h"

#include <algorithm>
#include <cstring>

namespace thimble::kernels::internal {
namespace {

// Elements [e0, e1) of the run that starts at input (iy, ix0); `fill` where the picture ends.
void gather_run(const Patches& p, std::int64_t b, std::int64_t iy, std::int64_t ix0, std::int64_t e0, std::int64_t e1,
                std::byte* out) {
  const int up = p.s.upsample ? 1 : 0;
  const std::int64_t height = p.s.H << up, width = p.s.W << up;
  std::int64_t lo = e1, hi = e1;
  if (iy >= 0 && iy < height) {
    lo = std::clamp(std::max<std::int64_t>(0, -ix0) * p.channels, e0, e1);
    hi = std::clamp(std::min(p.taps_in_run, width - ix0) * p.channels, lo, e1);
  }
  const auto blank = [&](std::int64_t from, std::int64_t to) {
    std::memset(out + (from - e0) * p.panel_element, p.fill, static_cast<std::size_t>((to - from) * p.panel_element));
  };
  if (lo > e0) blank(e0, lo);
  if (hi > lo) {
    // With one tap in a run, or with neighbours in memory, element e is at channels e from the run's first pixel.
    const std::int64_t pixel = (b * p.s.H + (iy >> up)) * p.s.W + (ix0 >> up);
    p.copy(p.x + (pixel * p.x_ld + lo) * p.element, hi - lo, out + (lo - e0) * p.panel_element);
  }
  if (e1 > hi) blank(hi, e1);
}

}  // namespace

Patches make_patches(const ConvShape& s, const void* x, std::int64_t channels, std::int64_t x_ld, std::int64_t element,
                     std::int64_t panel_element, CopyElements copy) {
  Patches p{};
  p.x = static_cast<const std::byte*>(x);
  p.s = s;
  p.x_ld = x_ld;
  p.element = element;
  p.panel_element = panel_element;
  p.channels = channels;
  p.OW = s.out_w();
  p.pixels = s.out_h() * p.OW;
  p.taps_in_run = s.dilation_w == 1 && !s.upsample && x_ld == channels ? s.kw : 1;
  p.copy = copy;
  return p;
}

void gather_patches(const void* context, std::int64_t m0, std::int64_t rows, std::int64_t k0, std::int64_t kc,
                    std::byte* out, std::int64_t stride) {
  const auto& p = *static_cast<const Patches*>(context);
  const std::int64_t run_length = p.taps_in_run * p.channels, runs_in_row = p.s.kw / p.taps_in_run;
  const std::int64_t first_run = k0 / run_length, first_e = k0 % run_length;
  std::int64_t b = m0 / p.pixels, oy = m0 % p.pixels / p.OW, ox = m0 % p.OW;
  for (std::int64_t r = 0; r < rows; ++r, out += stride) {
    const std::int64_t iy0 = oy * p.s.stride_h - p.s.pad_top, ix0 = ox * p.s.stride_w - p.s.pad_left;
    std::int64_t ky = first_run / runs_in_row, kx = first_run % runs_in_row, e = first_e;
    for (std::int64_t done = 0; done < kc;) {
      const std::int64_t n = std::min(run_length - e, kc - done);
      gather_run(p, b, iy0 + ky * p.s.dilation_h, ix0 + kx * p.s.dilation_w, e, e + n, out + done * p.panel_element);
      done += n;
      e = 0;
      if (++kx == runs_in_row) {
        kx = 0;
        ++ky;
      }
    }
    if (++ox == p.OW) {
      ox = 0;
      if (++oy * p.OW == p.pixels) {
        oy = 0;
        ++b;
      }
    }
  }
}

}  // namespace thimble::kernels::internal
