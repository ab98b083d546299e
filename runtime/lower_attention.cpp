// Attention, its two halves, and linear attention.
#include <cmath>

#include "runtime/lowering.h"

#include "base/index.h"

namespace thimble::runtime {

using namespace graph;

namespace {

// (B, T, heads * D), the last axis contiguous.
Located tokens(Lowering& l, ValueId v, DType type) {
  const Located x = l.read(v, type);
  return x.shape[2] == 1 || x.strides[2] == 1 ? x : l.read_dense(v, type);
}

kernels::HeadStrides strides_of(const Located& x, std::int64_t size) { return {x.strides[0], x.strides[1], size}; }

float scale_of(double scale, std::int64_t head_size) {
  return static_cast<float>(scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(head_size)));
}

// What all attention over tokens says of its operands.
template <class Args>
void take_queries_and_keys(Args& a, const Located& q, const Located& k, std::int64_t heads) {
  a.batch = q.shape[0];
  a.q_len = q.shape[1];
  a.k_len = k.shape[1];
  a.heads = heads;
  a.head_size = q.shape[2] / heads;
  a.q_strides = strides_of(q, a.head_size);
  a.k_strides = strides_of(k, a.head_size);
}

// The same of values and the result.
template <class Args>
void take_values(Args& a, const Located& v, const Located& y, std::int64_t kv_heads) {
  a.value_size = v.shape[2] / kv_heads;
  a.v_strides = strides_of(v, a.value_size);
  a.out_strides = strides_of(y, a.value_size);
}

// A mask that is added to the scores, broadcast by strides of zero; its place.
template <class Args>
Place mask_of(Lowering& l, ValueId v, Args& a) {
  const Located mask = l.read(v, DType::f32);
  const auto stride = [&](std::size_t axis) { return mask.shape[axis] == 1 ? 0 : mask.strides[axis]; };
  a.mask_stride_b = stride(0);
  a.mask_stride_h = stride(1);
  a.mask_stride_q = stride(2);
  a.mask_stride_k = stride(3);
  return Lowering::at(mask);
}

// The kernels of a stored map, or unsupported naming the op.
kernels::MapKernels map_kernels(const Lowering& l, DType type, std::string_view op) {
  if (type != DType::f32 && type != DType::bf16) want_kernel<kernels::GemmKernel>(nullptr, type, op);
  return kernels::pick_attention_map(type, l.isa);
}

}  // namespace

void lower(Lowering& l, const Unit& u, const Attention& op) {
  const DType type = l.stored(u.output);
  const auto& kernel = want_kernel(kernels::pick_attention(type, l.isa), type, "attention");
  const auto& in = l.node(u).inputs;
  const Located q = tokens(l, in[0], type), k = tokens(l, in[1], type), v = tokens(l, in[2], type);
  const Located y = l.result(u);
  AttentionStep step{&kernel, {}};
  kernels::AttentionArgs& a = step.args;
  take_queries_and_keys(a, q, k, op.heads);
  take_values(a, v, y, op.kv_heads);
  a.kv_heads = op.kv_heads;
  a.scale = scale_of(op.scale, a.head_size);
  a.causal = op.causal;
  Operands io{.in = {Lowering::at(q), Lowering::at(k), Lowering::at(v)}, .out = Lowering::at(y)};
  if (in.size() > 3) io.in[3] = mask_of(l, in[3], a);
  const std::size_t scratch = kernels::attention_scratch_bytes(kernel, a) * index(l.threads);
  l.emit(&u, u.name, {std::string(kernel.name), refused_rows(kernels::attention_kernels(), &kernel, l.isa)}, step, io,
         y, scratch);
}

void lower(Lowering& l, const Unit& u, const AttentionMap& op) {
  const DType type = l.stored(u.output);
  const auto& in = l.node(u).inputs;
  AttentionMapStep step{map_kernels(l, type, "attention_map"), {}};
  const Located q = tokens(l, in[0], type), k = tokens(l, in[1], type), y = l.result(u);
  kernels::AttentionMapArgs& a = step.args;
  take_queries_and_keys(a, q, k, op.heads);
  a.kv_heads = op.kv_heads;
  a.scale = scale_of(op.scale, a.head_size);
  a.causal = op.causal;
  Operands io{.in = {Lowering::at(q), Lowering::at(k)}, .out = Lowering::at(y)};
  if (in.size() > 2) io.in[2] = mask_of(l, in[2], a);
  l.emit(&u, u.name, {fmt::format("map {}", step.kernels.gemm->name)}, step, io, y,
         kernels::attention_map_scratch_bytes(step.kernels, a, l.threads));
}

void lower(Lowering& l, const Unit& u, const AttentionApply& op) {
  const DType type = l.stored(u.output);
  const auto& in = l.node(u).inputs;
  AttentionApplyStep step{map_kernels(l, type, "attention_apply"), {}};
  const Located map = l.read_dense(in[0], type), v = tokens(l, in[1], type), y = l.result(u);
  kernels::AttentionApplyArgs& a = step.args;
  a.batch = map.shape[0];
  a.heads = map.shape[1];
  a.q_len = map.shape[2];
  a.k_len = map.shape[3];
  a.kv_heads = op.kv_heads;
  take_values(a, v, y, op.kv_heads);
  l.emit(&u, u.name, {fmt::format("apply {}", step.kernels.gemm->name)}, step,
         {.in = {Lowering::at(map), Lowering::at(v)}, .out = Lowering::at(y)}, y,
         kernels::attention_apply_scratch_bytes(step.kernels, a, l.threads));
}

void lower(Lowering& l, const Unit& u, const LinearAttention& op) {
  const DType type = l.stored(u.output);
  const auto& kernel = want_kernel(kernels::pick_linear_attention(type, l.isa), type, "linear_attention");
  const auto& in = l.node(u).inputs;
  const Located q = tokens(l, in[0], type), k = tokens(l, in[1], type), v = tokens(l, in[2], type);
  const Located y = l.result(u);
  LinearAttentionStep step{&kernel, {}};
  kernels::LinearAttentionArgs& a = step.args;
  take_queries_and_keys(a, q, k, op.heads);
  take_values(a, v, y, op.heads);
  a.eps = static_cast<float>(op.eps);
  l.emit(&u, u.name, {std::string(kernel.name), refused_rows(kernels::linear_attention_kernels(), &kernel, l.isa)},
         step, {.in = {Lowering::at(q), Lowering::at(k), Lowering::at(v)}, .out = Lowering::at(y)}, y,
         kernels::linear_attention_scratch_bytes(a, l.threads));
}

}  // namespace thimble::runtime
