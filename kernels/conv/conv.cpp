// Running a convolution: patches as rows of the matrix driver, or rows of pixels to the depthwise kernel.
#include "kernels/conv/conv.h"

#include <algorithm>

#include "base/memory.h"
#include "kernels/conv/depthwise.h"
#include "kernels/conv/direct.h"
#include "kernels/conv/patches.h"

namespace thimble::kernels {
namespace {

void run_groups(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool, void* scratch) {
  const ConvShape& s = plan.shape;
  const GemmKernel& kernel = *plan.gemm;
  const auto element = static_cast<std::int64_t>(size_of(plan.type));
  const std::size_t y_element = size_of(args.y_type);
  internal::Patches p = internal::make_patches(s, args.x, s.C / s.groups, args.x_ld ? args.x_ld : s.C, element,
                                               static_cast<std::int64_t>(size_of(kernel.a_panel)),
                                               internal::copy_elements(plan.type, kernel.a_panel));
  const internal::Blocking blocking = internal::make_blocking(kernel, plan.M, plan.N, plan.K, pool.threads());
  for (std::int64_t group = 0; group < s.groups; ++group) {
    p.x = static_cast<const std::byte*>(args.x) + group * p.channels * element;
    const std::int64_t n0 = group * plan.N;
    Epilogue e = args.epilogue;
    if (e.bias) e.bias += n0;
    if (e.slope) e.slope += n0;
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
      internal::drive(kernel, blocking, {{&p, internal::gather_patches}, w, y, ldc, args.y_type, &e}, pool, scratch);
    }
  }
}

// What rows of depthwise and direct kernels have in common.
template <class Row>
Row row_of(const ConvPlan& plan, const ConvArgs& args) {
  const ConvShape& s = plan.shape;
  Row row{};
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
  row.OW = s.out_w();
  row.epilogue = &args.epilogue;
  row.y = args.y;
  row.y_ld = args.y_ld ? args.y_ld : s.O;
  row.y_type = args.y_type;
  return row;
}

void run_depthwise(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool) {
  const ConvShape& s = plan.shape;
  const std::int64_t OH = s.out_h();
  const std::int64_t grain = std::max<std::int64_t>(1, s.B * OH / (8 * pool.threads()));
  DepthwiseRow row = row_of<DepthwiseRow>(plan, args);
  row.upsample = s.upsample;
  pool.parallel_for(s.B * OH, grain, [&](std::int64_t begin, std::int64_t end, int) {
    DepthwiseRow mine = row;
    for (std::int64_t i = begin; i < end; ++i) {
      mine.x = static_cast<const std::byte*>(args.x) +
               static_cast<std::size_t>(i / OH * s.H * s.W * row.x_ld) * size_of(plan.type);
      mine.iy0 = i % OH * s.stride_h - s.pad_top;
      mine.m0 = i * row.OW;
      plan.depthwise->row(mine);
    }
  });
}

void run_direct(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool) {
  const ConvShape& s = plan.shape;
  DirectRow row = row_of<DirectRow>(plan, args);
  row.O = s.O;
  std::int64_t OH = s.out_h(), pictures = s.B, input = s.H;
  const bool plain = s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && OH == s.H && row.OW == s.W;
  if (plain) {  // pixels are rows of a product: in lengths that fill tiles, whatever the picture's width
    constexpr std::int64_t kPixels = 96;  // about; as many lengths for each thread
    const std::int64_t pixels = s.B * s.H * s.W, threads = pool.threads();
    const std::int64_t lengths = std::max<std::int64_t>(1, (pixels / threads + kPixels / 2) / kPixels) * threads;
    pictures = 1;
    row.W = row.OW = (pixels + lengths - 1) / lengths;
    OH = input = (pixels + row.OW - 1) / row.OW;
  }
  const std::int64_t grain = plain ? 1 : std::max<std::int64_t>(1, pictures * OH / (8 * pool.threads()));
  pool.parallel_for(pictures * OH, grain, [&](std::int64_t begin, std::int64_t end, int) {
    DirectRow mine = row;
    mine.H = input;
    for (std::int64_t i = begin; i < end; ++i) {
      mine.x = static_cast<const std::byte*>(args.x) +
               static_cast<std::size_t>(i / OH * input * row.W * row.x_ld) * size_of(plan.type);
      mine.iy0 = i % OH * s.stride_h - s.pad_top;
      mine.m0 = i * row.OW;
      if (plain) mine.OW = std::min(row.OW, s.B * s.H * s.W - mine.m0);
      plan.direct->row(mine);
    }
  });
}

}  // namespace

void conv(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool, void* scratch) noexcept {
  if (plan.kind == ConvPlan::Kind::depthwise) {
    run_depthwise(plan, args, pool);
  } else if (plan.kind == ConvPlan::Kind::direct) {
    run_direct(plan, args, pool);
  } else {
    run_groups(plan, args, pool, scratch);
  }
}

}  // namespace thimble::kernels
