// What a plan runs: one small struct per kind of step, filled when planning with everything but addresses. run()
// fetches the addresses of its operands and calls a kernel; it cannot fail and does not allocate. The comment of each
// step lists its operands in the order of Operands::in; those that may be absent are in brackets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/threads.h"
#include "graph/ops/elementwise.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/linear.h"
#include "kernels/attention/map.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/qconv.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/norm/norm.h"
#include "kernels/qgemm/qgemm.h"
#include "kernels/qgemm/w4a16.h"
#include "kernels/reduce/copy.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resample/resample.h"

namespace thimble::runtime {

struct Place {
  std::int32_t buffer = -1;  // -1: absent
  std::int64_t offset = 0;   // bytes
};

struct Operands {
  std::array<Place, 6> in{};
  Place out;
};

struct StepContext {
  std::byte* const* buffers;  // by Place::buffer
  ThreadPool& pool;
  void* scratch;
  const Operands* io = nullptr;

  const void* in(std::size_t i) const { return at(io->in[i]); }
  template <class T>
  const T* in(std::size_t i) const {
    return static_cast<const T*>(at(io->in[i]));
  }
  void* out() const { return at(io->out); }

 private:
  void* at(Place p) const { return p.buffer < 0 ? nullptr : buffers[p.buffer] + p.offset; }
};

struct GemmStep {  // a, w, [bias], [gate], [residual], [slope]
  const kernels::GemmKernel* kernel;
  kernels::GemmArgs args;
  void run(const StepContext& c) const noexcept;
};

struct ConvStep {  // x, w, [bias], [gate], [residual], [slope]
  kernels::ConvPlan plan;
  kernels::ConvArgs args;
  void run(const StepContext& c) const noexcept;
};

// Rounds pictures to int8, with a scale and a zero-point each.
struct RoundPicturesStep {  // x
  kernels::QConvPlan plan;
  kernels::RoundArgs args;
  void run(const StepContext& c) const noexcept;
};

struct QConvStep {  // rounded pictures, w, [bias], [gate], [residual], [slope]
  kernels::QConvPlan plan;
  kernels::QConvArgs args;
  void run(const StepContext& c) const noexcept;
};

// Rounds rows to int8 in the order of a kernel, with a scale and a zero-point each.
struct PackActivationsStep {  // x
  const kernels::QgemmKernel* kernel;
  std::int64_t M, K, group;
  kernels::QActivations source;
  void run(const StepContext& c) const noexcept;
};

struct QgemmStep {  // packed activations, w, [bias], [gate], [residual], [slope]
  const kernels::QgemmKernel* kernel;
  kernels::QgemmArgs args;
  void run(const StepContext& c) const noexcept;
};

struct W4A16Step {  // a, w, [bias], [gate], [residual], [slope]
  kernels::W4A16Kernel kernel;
  kernels::GemmArgs args;
  std::int64_t group;
  void run(const StepContext& c) const noexcept;
};

// Packs a weight that is computed by the graph, for the product that follows.
struct PackGemmStep {  // source (N, K)
  const kernels::GemmKernel* kernel;
  std::int64_t N, K, ld;
  DType type;
  void run(const StepContext& c) const noexcept;
};

// Product of two computed matrices, batched with broadcasting: a plain blocked loop over any strides (in elements).
struct MatMulStep {  // a, b
  DType type;
  int rank = 0;  // of the batch
  std::int64_t batch[kernels::kMaxRank] = {}, a_batch[kernels::kMaxRank] = {}, b_batch[kernels::kMaxRank] = {};
  std::int64_t M, N, K, a_row, a_k, b_k, b_column;
  void run(const StepContext& c) const noexcept;
};

struct AttentionStep {  // q, k, v, [mask]
  const kernels::AttentionKernel* kernel;
  kernels::AttentionArgs args;
  void run(const StepContext& c) const noexcept;
};

struct AttentionMapStep {  // q, k, [mask]
  kernels::MapKernels kernels;
  kernels::AttentionMapArgs args;
  void run(const StepContext& c) const noexcept;
};

struct AttentionApplyStep {  // map, v
  kernels::MapKernels kernels;
  kernels::AttentionApplyArgs args;
  void run(const StepContext& c) const noexcept;
};

struct LinearAttentionStep {  // q, k, v
  const kernels::LinearAttentionKernel* kernel;
  kernels::LinearAttentionArgs args;
  void run(const StepContext& c) const noexcept;
};

struct RowNormStep {  // x, [weight], [bias], [shift], [scale]
  const kernels::NormKernels* kernels;
  bool rms;
  kernels::RowNormArgs args;
  void run(const StepContext& c) const noexcept;
};

struct GroupNormStep {  // x, weight, bias
  const kernels::NormKernels* kernels;
  kernels::GroupNormArgs args;
  void run(const StepContext& c) const noexcept;
};

struct SoftmaxStep {  // x
  const kernels::NormKernels* kernels;
  kernels::SoftmaxArgs args;
  void run(const StepContext& c) const noexcept;
};

// Rows apart by a stride are walked one by one; one row is split over the threads.
struct UnaryStep {  // x
  const kernels::ElementwiseKernels* kernels;
  kernels::UnaryOp op;
  std::int64_t rows, columns, stride;
  void run(const StepContext& c) const noexcept;
};

struct BinaryStep {  // a, b
  const kernels::ElementwiseKernels* kernels;
  kernels::BinaryOp op;
  kernels::BinaryArgs args;
  void run(const StepContext& c) const noexcept;
};

struct WhereStep {  // condition, a, b
  kernels::WhereArgs args;
  void run(const StepContext& c) const noexcept;
};

struct GluStep {  // x (rows, 2 * channels)
  const kernels::ElementwiseKernels* kernels;
  kernels::GluArgs args;
  void run(const StepContext& c) const noexcept;
};

struct ScaleAddStep {  // x, [residual], [gate]
  const kernels::ElementwiseKernels* kernels;
  kernels::ScaleAddArgs args;
  void run(const StepContext& c) const noexcept;
};

struct CastStep {  // x
  const kernels::ElementwiseKernels* kernels;
  DType from, to;
  std::int64_t n;
  void run(const StepContext& c) const noexcept;
};

// What no kernel serves: integers, bools, f16 and f64, element by element in double.
struct PlainStep {  // a, [b]
  double (*function)(double, double);
  DType a_type, b_type, y_type;
  int rank = 0;
  std::int64_t shape[kernels::kMaxRank] = {}, a_strides[kernels::kMaxRank] = {}, b_strides[kernels::kMaxRank] = {};
  void run(const StepContext& c) const noexcept;
};

struct ReduceStep {  // x
  const kernels::ReduceKernels* kernels;
  kernels::ReduceArgs args;
  void run(const StepContext& c) const noexcept;
};

struct CopyStep {  // x
  kernels::CopyArgs args;
  void run(const StepContext& c) const noexcept;
};

struct FillStep {
  std::int64_t n;
  std::size_t element_size;
  std::array<std::byte, 8> value;
  void run(const StepContext& c) const noexcept;
};

struct GatherStep {  // table (outer, table_rows, row), indices i32
  std::int64_t outer, table_rows, indices;
  std::size_t row_bytes;
  void run(const StepContext& c) const noexcept;
};

// Angles are made and reduced in double: t * scale reaches thousands, where f32 has few digits left for the phase.
struct SinusoidalStep {  // t f32 (rows), frequencies f64 (half), the op's scale included
  std::int64_t rows, half;
  DType type;
  void run(const StepContext& c) const noexcept;
};

struct ResizeStep {  // x
  const kernels::ResampleKernels* kernels;
  kernels::ResizeArgs args;
  void run(const StepContext& c) const noexcept;
};

struct PoolStep {  // x
  const kernels::ResampleKernels* kernels;
  kernels::PoolArgs args;
  void run(const StepContext& c) const noexcept;
};

// (batch, h, w, channels * r * r) to (batch, h * r, w * r, channels), or back.
struct ShuffleStep {  // x
  bool back;
  kernels::ShuffleOrder order;
  std::int64_t batch, h, w, channels, r;
  std::size_t element_size;
  void run(const StepContext& c) const noexcept;
};

using Step = std::variant<GemmStep, PackActivationsStep, QgemmStep, W4A16Step, ConvStep, RoundPicturesStep, QConvStep,
                          PackGemmStep, MatMulStep, AttentionStep, AttentionMapStep, AttentionApplyStep,
                          LinearAttentionStep, RowNormStep, GroupNormStep, SoftmaxStep, UnaryStep, BinaryStep,
                          WhereStep, GluStep, ScaleAddStep, CastStep, PlainStep, ReduceStep, CopyStep, FillStep,
                          GatherStep, SinusoidalStep, ResizeStep, PoolStep, ShuffleStep>;

}  // namespace thimble::runtime
