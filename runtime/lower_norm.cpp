// Normalisations with what is fused to them, and the sinusoidal embedding.
#include <cmath>

#include "base/error.h"
#include "runtime/lowering.h"

namespace thimble::runtime {

using namespace graph;

namespace {

Lowering::Kernel named(const Lowering& l, const kernels::NormKernels& row) {
  return {std::string(row.name), refused_rows(kernels::norm_kernels(), &row, l.isa)};
}

// Layer norm and RMS norm: inputs x, [weight], [bias]; u.shift and u.scale modulate.
void lower_row_norm(Lowering& l, const Unit& u, bool rms, double eps) {
  const auto& in = l.node(u).inputs;
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_norm(type, l.isa), type, rms ? "rms_norm" : "layer_norm");
  const Located x = l.read_rows(u.x, type);
  const Rows r = as_rows(x).value();
  RowNormStep step{&k, rms, {}};
  step.args.rows = r.rows;
  step.args.channels = r.columns;
  step.args.x_rows.stride = r.stride;
  step.args.eps = static_cast<float>(eps);
  Operands io;
  io.in[0] = Lowering::at(x);
  for (std::size_t i = 1; i < in.size(); ++i) io.in[i] = Lowering::at(l.read_f32(in[i]));
  if (u.shift >= 0) {
    Located shift = l.read(u.shift, type), scale = l.read(u.scale, type);
    auto a = as_batch_vector(shift, x.shape), b = as_batch_vector(scale, x.shape);
    if (!a || !b || a->stride != b->stride) {  // the kernel wants one stride for both
      shift = l.read_dense(u.shift, type);
      scale = l.read_dense(u.scale, type);
      a = as_batch_vector(shift, x.shape);
    }
    step.args.modulation_stride = a->stride;
    step.args.rows_per_batch = a->rows;
    io.in[3] = Lowering::at(shift);
    io.in[4] = Lowering::at(scale);
  }
  const Located y = l.result(u, {x.dense() ? u.x : -1});
  io.out = Lowering::at(y);
  l.emit(&u, u.name, named(l, k), step, io, y);
}

}  // namespace

void lower(Lowering& l, const Unit& u, const LayerNorm& op) { lower_row_norm(l, u, false, op.eps); }
void lower(Lowering& l, const Unit& u, const RmsNorm& op) { lower_row_norm(l, u, true, op.eps); }

void lower(Lowering& l, const Unit& u, const GroupNorm& op) {
  const auto& in = l.node(u).inputs;
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_norm(type, l.isa), type, "group_norm");
  const Located x = l.read_dense(u.x, type);
  GroupNormStep step{&k, {}};
  kernels::GroupNormArgs& a = step.args;
  a.batch = x.shape[0];
  a.channels = x.shape.back();
  a.positions = 1;
  for (std::size_t i = 1; i + 1 < x.shape.size(); ++i) a.positions *= x.shape[i];
  a.groups = op.groups;
  a.eps = static_cast<float>(op.eps);
  if (u.activation)
    a.activation = *u.activation == UnaryKind::silu ? kernels::NormActivation::silu : kernels::NormActivation::relu;
  Operands io{.in = {Lowering::at(x), Lowering::at(l.read_f32(in[1])), Lowering::at(l.read_f32(in[2]))}, .out = {}};
  const Located y = l.result(u, {u.x});
  io.out = Lowering::at(y);
  l.emit(&u, u.name, named(l, k), step, io, y, kernels::group_norm_scratch_bytes(a, l.threads));
}

void lower(Lowering& l, const Unit& u, const SinusoidalEmbedding& op) {
  const DType type = l.stored(u.output);
  if (type != DType::f32 && type != DType::bf16)
    want_kernel<kernels::NormKernels>(nullptr, type, "sinusoidal_embedding");
  const Located t = l.read_dense(u.x, DType::f32);
  const std::int64_t half = op.dim / 2;
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < half; ++i) {
    frequencies.push_back(op.scale * std::pow(op.max_period, -static_cast<double>(i) / static_cast<double>(half)));
  }
  const Located table = l.literal(DType::f64, std::move(frequencies)), y = l.result(u);
  l.emit(&u, u.name, {}, SinusoidalStep{t.elements(), half, type},
         {.in = {Lowering::at(t), Lowering::at(table)}, .out = Lowering::at(y)}, y);
}

}  // namespace thimble::runtime
