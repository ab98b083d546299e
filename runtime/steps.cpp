#include "runtime/steps.h"

#include <algorithm>

namespace thimble::runtime {
namespace {

// Operands 2 to 5 of products and convolutions.
void address(kernels::Epilogue& e, const StepContext& c) {
  e.bias = c.in<float>(2);
  e.gate = c.in(3);
  e.residual = c.in(4);
  e.slope = c.in<float>(5);
}

}  // namespace

void GemmStep::run(const StepContext& c) const noexcept {
  kernels::GemmArgs a = args;
  a.A = c.in(0);
  a.W = c.in(1);
  a.C = c.out();
  address(a.epilogue, c);
  kernels::gemm(*kernel, a, c.pool, c.scratch);
}

void PackActivationsStep::run(const StepContext& c) const noexcept {
  kernels::QActivations a = source;
  a.x = c.in(0);
  kernels::pack_activations(*kernel, M, K, group, a, c.pool, c.out());
}

void QgemmStep::run(const StepContext& c) const noexcept {
  kernels::QgemmArgs a = args;
  a.A = c.in(0);
  a.W = c.in(1);
  a.C = c.out();
  address(a.epilogue, c);
  kernels::qgemm(*kernel, a, c.pool, c.scratch);
}

void W4A16Step::run(const StepContext& c) const noexcept {
  kernels::GemmArgs a = args;
  a.A = c.in(0);
  a.W = c.in(1);
  a.C = c.out();
  address(a.epilogue, c);
  kernels::w4a16(kernel, a, group, c.pool, c.scratch);
}

void ConvStep::run(const StepContext& c) const noexcept {
  kernels::ConvArgs a = args;
  a.x = c.in(0);
  a.w = c.in(1);
  a.y = c.out();
  address(a.epilogue, c);
  kernels::conv(plan, a, c.pool, c.scratch);
}

void RoundPicturesStep::run(const StepContext& c) const noexcept {
  kernels::RoundArgs a = args;
  a.x = c.in(0);
  kernels::round_pictures(plan, a, c.pool, c.out());
}

void QConvStep::run(const StepContext& c) const noexcept {
  kernels::QConvArgs a = args;
  a.x = c.in(0);
  a.w = c.in(1);
  a.y = c.out();
  address(a.epilogue, c);
  kernels::qconv(plan, a, c.pool, c.scratch);
}

void PackGemmStep::run(const StepContext& c) const noexcept {
  const std::int64_t panels = (N + kernel->nr - 1) / kernel->nr;
  c.pool.parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
    kernels::pack_weight_panels(*kernel, N, K, c.in(0), type, ld, c.out(), begin, end);
  });
}

void AttentionStep::run(const StepContext& c) const noexcept {
  kernels::AttentionArgs a = args;
  a.q = c.in(0);
  a.k = c.in(1);
  a.v = c.in(2);
  a.mask = c.in<float>(3);
  a.out = c.out();
  kernels::attention(*kernel, a, c.pool, c.scratch);
}

void AttentionMapStep::run(const StepContext& c) const noexcept {
  kernels::AttentionMapArgs a = args;
  a.q = c.in(0);
  a.k = c.in(1);
  a.mask = c.in<float>(2);
  a.map = c.out();
  kernels::attention_map(kernels, a, c.pool, c.scratch);
}

void AttentionApplyStep::run(const StepContext& c) const noexcept {
  kernels::AttentionApplyArgs a = args;
  a.map = c.in(0);
  a.v = c.in(1);
  a.out = c.out();
  kernels::attention_apply(kernels, a, c.pool, c.scratch);
}

void LinearAttentionStep::run(const StepContext& c) const noexcept {
  kernels::LinearAttentionArgs a = args;
  a.q = c.in(0);
  a.k = c.in(1);
  a.v = c.in(2);
  a.out = c.out();
  kernels::linear_attention(*kernel, a, c.pool, c.scratch);
}

void RowNormStep::run(const StepContext& c) const noexcept {
  kernels::RowNormArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  a.weight = c.in<float>(1);
  a.bias = c.in<float>(2);
  a.shift = c.in(3);
  a.scale = c.in(4);
  if (rms) {
    kernels::rms_norm(*kernels, a, c.pool);
  } else {
    kernels::layer_norm(*kernels, a, c.pool);
  }
}

void GroupNormStep::run(const StepContext& c) const noexcept {
  kernels::GroupNormArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  a.weight = c.in<float>(1);
  a.bias = c.in<float>(2);
  kernels::group_norm(*kernels, a, c.pool, c.scratch);
}

void SoftmaxStep::run(const StepContext& c) const noexcept {
  kernels::SoftmaxArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  kernels::softmax(*kernels, a, c.pool);
}

void UnaryStep::run(const StepContext& c) const noexcept {
  if (rows == 1 || stride == columns) {
    kernels::unary(*kernels, op, c.in(0), c.out(), rows * columns, {}, c.pool);
    return;
  }
  const auto size = static_cast<std::int64_t>(size_of(kernels->type));
  const auto* x = c.in<std::byte>(0);
  auto* y = static_cast<std::byte*>(c.out());
  c.pool.parallel_for(rows, std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, columns)),
                      [&](std::int64_t begin, std::int64_t end, int) {
                        for (std::int64_t r = begin; r < end; ++r) {
                          kernels->unary(op, x + r * stride * size, y + r * columns * size, columns, {});
                        }
                      });
}

void BinaryStep::run(const StepContext& c) const noexcept {
  kernels::BinaryArgs a = args;
  a.a = c.in(0);
  a.b = c.in(1);
  a.y = c.out();
  kernels::binary(*kernels, op, a, c.pool);
}

void WhereStep::run(const StepContext& c) const noexcept {
  kernels::WhereArgs a = args;
  a.condition = c.in<std::uint8_t>(0);
  a.a = c.in(1);
  a.b = c.in(2);
  a.y = c.out();
  kernels::where(a, c.pool);
}

void GluStep::run(const StepContext& c) const noexcept {
  kernels::GluArgs a = args;
  a.value = c.in(0);
  a.gate = c.in<std::byte>(0) + static_cast<std::size_t>(args.channels) * size_of(kernels->type);
  a.y = c.out();
  kernels::glu(*kernels, a, c.pool);
}

void ScaleAddStep::run(const StepContext& c) const noexcept {
  kernels::ScaleAddArgs a = args;
  a.x = c.in(0);
  a.residual = c.in(1);
  a.gate = c.in(2);
  a.y = c.out();
  kernels::scale_add(*kernels, a, c.pool);
}

void CastStep::run(const StepContext& c) const noexcept {
  kernels::cast(*kernels, from, c.in(0), to, c.out(), n, c.pool);
}

void ReduceStep::run(const StepContext& c) const noexcept {
  kernels::ReduceArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  kernels::reduce(*kernels, a, c.pool);
}

void CopyStep::run(const StepContext& c) const noexcept {
  kernels::CopyArgs a = args;
  a.src = c.in(0);
  a.dst = c.out();
  kernels::copy_strided(a, c.pool);
}

void FillStep::run(const StepContext& c) const noexcept {
  kernels::fill(c.out(), n, value.data(), element_size, c.pool);
}

void GatherStep::run(const StepContext& c) const noexcept {
  const std::size_t table_bytes = static_cast<std::size_t>(table_rows) * row_bytes,
                    out_bytes = static_cast<std::size_t>(indices) * row_bytes;
  for (std::size_t i = 0; i < static_cast<std::size_t>(outer); ++i) {
    kernels::gather_rows(c.in<std::byte>(0) + i * table_bytes, table_rows, row_bytes, c.in<std::int32_t>(1), indices,
                         static_cast<std::byte*>(c.out()) + i * out_bytes, c.pool);
  }
}

void ResizeStep::run(const StepContext& c) const noexcept {
  kernels::ResizeArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  kernels::resize(*kernels, a, c.pool);
}

void PoolStep::run(const StepContext& c) const noexcept {
  kernels::PoolArgs a = args;
  a.x = c.in(0);
  a.y = c.out();
  kernels::pool2d(*kernels, a, c.pool);
}

void ShuffleStep::run(const StepContext& c) const noexcept {
  const auto move = back ? kernels::pixel_unshuffle : kernels::pixel_shuffle;
  move(batch, h, w, channels, r, order, c.in(0), c.out(), element_size, c.pool);
}

}  // namespace thimble::runtime
