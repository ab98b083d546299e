// One overload of evaluate() per op of graph/ops.inc; run_graph() visits the variant, so an op without one does not
// compile. Tensors carry the IR's shapes (images are channels-last).
#pragma once

#include "train/torch.h"

namespace thimble::train {

struct OpArguments {
  const std::vector<at::Tensor>& in;
  const graph::TensorType& type;  // of the result
  at::Device device;
  bool bf16 = false;  // precision of products

  std::size_t size() const { return in.size(); }
  const at::Tensor& operator[](std::size_t i) const { return in[i]; }
};

at::Tensor evaluate(const graph::Constant& op, const OpArguments& a);
at::Tensor evaluate(const graph::Unary& op, const OpArguments& a);
at::Tensor evaluate(const graph::Binary& op, const OpArguments& a);
at::Tensor evaluate(const graph::Where& op, const OpArguments& a);
at::Tensor evaluate(const graph::Cast& op, const OpArguments& a);
at::Tensor evaluate(const graph::Glu& op, const OpArguments& a);
at::Tensor evaluate(const graph::Reshape& op, const OpArguments& a);
at::Tensor evaluate(const graph::Transpose& op, const OpArguments& a);
at::Tensor evaluate(const graph::Broadcast& op, const OpArguments& a);
at::Tensor evaluate(const graph::Slice& op, const OpArguments& a);
at::Tensor evaluate(const graph::Pad& op, const OpArguments& a);
at::Tensor evaluate(const graph::Concat& op, const OpArguments& a);
at::Tensor evaluate(const graph::Gather& op, const OpArguments& a);
at::Tensor evaluate(const graph::Reduce& op, const OpArguments& a);
at::Tensor evaluate(const graph::Softmax& op, const OpArguments& a);

at::Tensor evaluate(const graph::MatMul& op, const OpArguments& a);
at::Tensor evaluate(const graph::Linear& op, const OpArguments& a);
at::Tensor evaluate(const graph::Conv2d& op, const OpArguments& a);
at::Tensor evaluate(const graph::Pool2d& op, const OpArguments& a);
at::Tensor evaluate(const graph::Resize& op, const OpArguments& a);
at::Tensor evaluate(const graph::PixelShuffle& op, const OpArguments& a);
at::Tensor evaluate(const graph::PixelUnshuffle& op, const OpArguments& a);
at::Tensor evaluate(const graph::LayerNorm& op, const OpArguments& a);
at::Tensor evaluate(const graph::RmsNorm& op, const OpArguments& a);
at::Tensor evaluate(const graph::GroupNorm& op, const OpArguments& a);
at::Tensor evaluate(const graph::Modulate& op, const OpArguments& a);
at::Tensor evaluate(const graph::Attention& op, const OpArguments& a);
at::Tensor evaluate(const graph::AttentionMap& op, const OpArguments& a);
at::Tensor evaluate(const graph::AttentionApply& op, const OpArguments& a);
at::Tensor evaluate(const graph::LinearAttention& op, const OpArguments& a);
at::Tensor evaluate(const graph::QuantLinear& op, const OpArguments& a);
at::Tensor evaluate(const graph::QuantConv2d& op, const OpArguments& a);
at::Tensor evaluate(const graph::SinusoidalEmbedding& op, const OpArguments& a);

at::Tensor apply_unary(graph::UnaryKind kind, const at::Tensor& x);

}  // namespace thimble::train
