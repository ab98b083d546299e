// Running a convolution: patches as rows of the matrix driver, or rows of pixels to the depthwise kernel.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "kernels/conv/depthwise.h"
#include "kernels/gemm/driver.h"

namespace thimble::kernels {
namespace {

// Row m of the implicit matrix: output pixel m's patch, elements ordered (ky, kx, c). A run is a stretch of the patch
// that lies in one piece in the picture: a whole row of taps where taps are neighbours, else one tap.
struct Patches {
  const std::byte* x;  // at the group's first channel
  ConvShape s;
  std::int64_t x_ld, element, panel_element, channels, OW, pixels;  // pixels = OH * OW
  std::int64_t taps_in_run;
  internal::CopyElements copy;
};

// Elements [e0, e1) of the run that starts at input (iy, ix0); zeros where the picture ends.
void gather_run(const Patches& p, std::int64_t b, std::int64_t iy, std::int64_t ix0, std::int64_t e0, std::int64_t e1,
                std::byte* out) {
  const int up = p.s.upsample ? 1 : 0;
  const std::int64_t height = p.s.H << up, width = p.s.W << up;
  std::int64_t lo = e1, hi = e1;
  if (iy >= 0 && iy < height) {
    lo = std::clamp(std::max<std::int64_t>(0, -ix0) * p.channels, e0, e1);
    hi = std::clamp(std::min(p.taps_in_run, width - ix0) * p.channels, lo, e1);
  }
  if (lo > e0) std::memset(out, 0, static_cast<std::size_t>((lo - e0) * p.panel_element));
  if (hi > lo) {
    // With one tap in a run, or with neighbours in memory, element e is at channels e from the run's first pixel.
    const std::int64_t pixel = (b * p.s.H + (iy >> up)) * p.s.W + (ix0 >> up);
    p.copy(p.x + (pixel * p.x_ld + lo) * p.element, hi - lo, out + (lo - e0) * p.panel_element);
  }
  if (e1 > hi) std::memset(out + (hi - e0) * p.panel_element, 0, static_cast<std::size_t>((e1 - hi) * p.panel_element));
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

void run_groups(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool, void* scratch) {
  const ConvShape& s = plan.shape;
  const GemmKernel& kernel = *plan.gemm;
  const auto element = static_cast<std::int64_t>(size_of(plan.type));
  const std::size_t y_element = size_of(args.y_type);
  Patches p{};
  p.s = s;
  p.x_ld = args.x_ld ? args.x_ld : s.C;
  p.element = element;
  p.panel_element = static_cast<std::int64_t>(size_of(kernel.a_panel));
  p.channels = s.C / s.groups;
  p.OW = s.out_w();
  p.pixels = s.out_h() * p.OW;
  p.taps_in_run = s.dilation_w == 1 && !s.upsample && p.x_ld == p.channels ? s.kw : 1;
  p.copy = internal::copy_elements(plan.type, kernel.a_panel);
  const internal::Blocking blocking = internal::make_blocking(kernel, plan.M, plan.N, plan.K, pool.threads());
  for (std::int64_t group = 0; group < s.groups; ++group) {
    p.x = static_cast<const std::byte*>(args.x) + group * p.channels * element;
    const std::int64_t n0 = group * plan.N;
    Epilogue e = args.epilogue;
    if (e.bias) e.bias += n0;
    if (e.gate) e.gate = static_cast<const std::byte*>(e.gate) + static_cast<std::size_t>(n0) * size_of(e.gate_type);
    if (e.residual) e.residual = static_cast<const std::byte*>(e.residual) + static_cast<std::size_t>(n0) * y_element;
    const auto* w = static_cast<const std::byte*>(args.w) + static_cast<std::size_t>(group) * plan.group_packed_bytes;
    auto* y = static_cast<std::byte*>(args.y) + static_cast<std::size_t>(n0) * y_element;
    const std::int64_t ldc = args.y_ld ? args.y_ld : s.O;
    if (plan.kind == ConvPlan::Kind::gemm) {
      gemm(kernel,
           {.M = plan.M,
            .N = plan.N,
            .K = plan.K,
            .A = p.x,
            .lda = p.x_ld,
            .W = w,
            .C = y,
            .ldc = ldc,
            .c_type = args.y_type,
            .epilogue = e},
           pool, scratch);
    } else {
      internal::drive(kernel, blocking, {{&p, gather_patches}, w, y, ldc, args.y_type, &e}, pool, scratch);
    }
  }
}

void run_depthwise(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool) {
  const ConvShape& s = plan.shape;
  const std::int64_t OH = s.out_h(), OW = s.out_w();
  const std::int64_t grain = std::max<std::int64_t>(1, s.B * OH / (8 * pool.threads()));
  DepthwiseRow row{};
  row.w = static_cast<const float*>(args.w);
  row.H = s.H;
  row.W = s.W;
  row.C = s.C;
  row.x_ld = args.x_ld ? args.x_ld : s.C;
  row.channel_step = static_cast<std::int64_t>(round_up(static_cast<std::size_t>(s.C), kDepthwiseChannelStep));
  row.kh = s.kh;
  row.kw = s.kw;
  row.dilation_h = s.dilation_h;
  row.dilation_w = s.dilation_w;
  row.stride_w = s.stride_w;
  row.pad_left = s.pad_left;
  row.OW = OW;
  row.upsample = s.upsample;
  row.epilogue = &args.epilogue;
  row.y = args.y;
  row.y_ld = args.y_ld ? args.y_ld : s.O;
  row.y_type = args.y_type;
  pool.parallel_for(s.B * OH, grain, [&](std::int64_t begin, std::int64_t end, int) {
    DepthwiseRow mine = row;
    for (std::int64_t i = begin; i < end; ++i) {
      mine.x = static_cast<const std::byte*>(args.x) +
               static_cast<std::size_t>(i / OH * s.H * s.W * row.x_ld) * size_of(plan.type);
      mine.iy0 = i % OH * s.stride_h - s.pad_top;
      mine.m0 = i * OW;
      plan.depthwise->row(mine);
    }
  });
}

}  // namespace

void conv(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool, void* scratch) noexcept {
  if (plan.kind == ConvPlan::Kind::depthwise) {
    run_depthwise(plan, args, pool);
  } else {
    run_groups(plan, args, pool, scratch);
  }
}

}  // namespace thimble::kernels
