// The two halves of attention, for maps that are kept, and linear attention; all sums in f32.
#include <cmath>
#include <limits>

#include "train/torch_ops.h"

namespace thimble::train {
namespace {

// (B, T, heads*D) -> (B, heads, T, D) in f32, each head `times` times in a row.
at::Tensor heads_of(const at::Tensor& x, std::int64_t heads, std::int64_t times = 1) {
  const at::Tensor split = x.to(at::kFloat).reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  return times == 1 ? split : split.repeat_interleave(times, 1);
}

at::Tensor joined(const at::Tensor& y, const OpArguments& a) {
  return y.transpose(1, 2).reshape(a.type.shape).to(a.bf16 ? at::kBFloat16 : at::kFloat);
}

}  // namespace

at::Tensor evaluate(const graph::AttentionMap& op, const OpArguments& a) {
  const at::Tensor q = heads_of(a[0], op.heads), k = heads_of(a[1], op.kv_heads, op.heads / op.kv_heads);
  const double scale = op.scale != 0 ? op.scale : 1 / std::sqrt(static_cast<double>(q.size(-1)));
  at::Tensor scores = at::matmul(q, k.transpose(-2, -1)) * scale;
  if (a.size() > 2) scores = scores + a[2].to(at::kFloat);
  if (op.causal) {
    scores = scores + at::full({q.size(2), k.size(2)}, -std::numeric_limits<float>::infinity(), q.options()).triu(1);
  }
  return at::softmax(scores, -1).to(a.bf16 ? at::kBFloat16 : at::kFloat);
}

at::Tensor evaluate(const graph::AttentionApply& op, const OpArguments& a) {
  return joined(at::matmul(a[0].to(at::kFloat), heads_of(a[1], op.kv_heads, a[0].size(1) / op.kv_heads)), a);
}

at::Tensor evaluate(const graph::LinearAttention& op, const OpArguments& a) {
  const at::Tensor q = at::relu(heads_of(a[0], op.heads)), k = at::relu(heads_of(a[1], op.heads)),
                   v = heads_of(a[2], op.heads);
  const at::Tensor total = at::matmul(q, k.sum(2, true).transpose(-2, -1)) + op.eps;
  return joined(at::matmul(q, at::matmul(k.transpose(-2, -1), v)) / total, a);
}

}  // namespace thimble::train
