// Elementwise ops, moves and reductions on ATen.
#include <limits>

#include "train/torch_layers.h"
#include "train/torch_ops.h"

namespace thimble::train {
namespace {

// In bf16 runs constants, masks and parameters arrive as f32; the narrower partner decides the type of the result.
void agree(at::Tensor& a, at::Tensor& b) {
  if (a.scalar_type() == b.scalar_type()) return;
  if (a.scalar_type() == at::kFloat && b.scalar_type() == at::kBFloat16) a = a.to(at::kBFloat16);
  if (b.scalar_type() == at::kFloat && a.scalar_type() == at::kBFloat16) b = b.to(at::kBFloat16);
}

at::Tensor fold(const at::Tensor& x, const graph::Reduce& op) {
  at::IntArrayRef axes(op.axes);
  switch (op.kind) {
    case graph::ReduceKind::sum: return at::sum(x, axes, op.keep_dims, x.scalar_type());
    case graph::ReduceKind::mean: return at::mean(x, axes, op.keep_dims);
    case graph::ReduceKind::max: return at::amax(x, axes, op.keep_dims);
    case graph::ReduceKind::min: return at::amin(x, axes, op.keep_dims);
    case graph::ReduceKind::prod: {
      at::Tensor y = x;
      for (auto axis = op.axes.rbegin(); axis != op.axes.rend(); ++axis) y = at::prod(y, *axis, op.keep_dims);
      return y.to(x.scalar_type());
    }
  }
  fail(ErrorKind::internal, "unknown reduction");
}

}  // namespace

at::Tensor apply_unary(graph::UnaryKind kind, const at::Tensor& x) {
  using enum graph::UnaryKind;
  switch (kind) {
    case neg: return at::neg(x);
    case abs: return at::abs(x);
    case sign: return at::sign(x);
    case exp: return at::exp(x);
    case log: return at::log(x);
    case sqrt: return at::sqrt(x);
    case rsqrt: return at::rsqrt(x);
    case reciprocal: return at::reciprocal(x);
    case square: return at::square(x);
    case sin: return at::sin(x);
    case cos: return at::cos(x);
    case tanh: return at::tanh(x);
    case sigmoid: return at::sigmoid(x);
    case relu: return at::relu(x);
    case silu: return train::silu(x);
    case gelu: return at::gelu(x, "none");
    case gelu_tanh: return train::gelu_tanh(x);
    case softplus: return at::softplus(x);
    case hard_swish: return at::hardswish(x);
    case floor: return at::floor(x);
    case round: return at::round(x);
    case logical_not: return at::logical_not(x);
  }
  fail(ErrorKind::internal, "unknown unary kind");
}

at::Tensor evaluate(const graph::Constant& op, const OpArguments& a) {
  const auto options = at::TensorOptions().dtype(scalar_type(op.dtype)).device(a.device);
  if (op.values.size() == 1) return at::full(op.shape, op.values[0], options);
  const auto size = static_cast<std::int64_t>(op.values.size());
  at::Tensor values = at::from_blob(const_cast<double*>(op.values.data()), {size}, at::kDouble);
  // The copy is explicit: for f64 constants to() alone would keep pointing into the graph.
  return values.to(options, false, true).reshape(op.shape);
}

at::Tensor evaluate(const graph::Unary& op, const OpArguments& a) { return apply_unary(op.kind, a[0]); }

at::Tensor evaluate(const graph::Binary& op, const OpArguments& args) {
  using enum graph::BinaryKind;
  at::Tensor a = args[0], b = args[1];
  agree(a, b);
  switch (op.kind) {
    case add: return at::add(a, b);
    case sub: return at::sub(a, b);
    case mul: return at::mul(a, b);
    case div: return a.is_floating_point() ? at::div(a, b) : at::div(a, b, "trunc");
    case max: return at::maximum(a, b);
    case min: return at::minimum(a, b);
    case pow: return at::pow(a, b);
    case equal: return at::eq(a, b);
    case less: return at::lt(a, b);
    case greater: return at::gt(a, b);
  }
  fail(ErrorKind::internal, "unknown binary kind");
}

at::Tensor evaluate(const graph::Where&, const OpArguments& args) {
  at::Tensor a = args[1], b = args[2];
  agree(a, b);
  return at::where(args[0], a, b);
}

at::Tensor evaluate(const graph::Cast& op, const OpArguments& a) { return a[0].to(scalar_type(op.dtype)); }

at::Tensor evaluate(const graph::Glu& op, const OpArguments& a) {
  const auto halves = a[0].chunk(2, -1);
  return at::mul(halves[0], apply_unary(op.activation, halves[1]));
}

at::Tensor evaluate(const graph::Reshape&, const OpArguments& a) { return a[0].reshape(a.type.shape); }
at::Tensor evaluate(const graph::Transpose& op, const OpArguments& a) { return a[0].permute(op.perm); }
at::Tensor evaluate(const graph::Broadcast&, const OpArguments& a) { return a[0].expand(a.type.shape); }

at::Tensor evaluate(const graph::Slice& op, const OpArguments& a) {
  return a[0].slice(op.axis, op.begin, op.end, op.step);
}

at::Tensor evaluate(const graph::Pad& op, const OpArguments& a) {
  std::vector<std::int64_t> pads;  // ATen lists the last axis first
  for (std::size_t i = op.before.size(); i-- > 0;) {
    pads.push_back(op.before[i]);
    pads.push_back(op.after[i]);
  }
  return at::constant_pad_nd(a[0], pads, op.value);
}

at::Tensor evaluate(const graph::Concat& op, const OpArguments& a) {
  bool narrow = false;
  for (const at::Tensor& t : a.in) narrow = narrow || t.scalar_type() == at::kBFloat16;
  if (!narrow) return at::cat(a.in, op.axis);
  std::vector<at::Tensor> parts;
  for (const at::Tensor& t : a.in) parts.push_back(t.to(at::kBFloat16));
  return at::cat(parts, op.axis);
}

at::Tensor evaluate(const graph::Gather& op, const OpArguments& a) {
  const at::Tensor& table = a[0];
  const at::Tensor indices = a[1].to(at::kLong).clamp(0, table.size(op.axis) - 1);
  if (op.axis == 0 && table.dim() == 2) return at::embedding(table, indices);
  return at::index_select(table, op.axis, indices.reshape({-1})).reshape(a.type.shape);
}

at::Tensor evaluate(const graph::Reduce& op, const OpArguments& a) {
  const at::Tensor& x = a[0];
  if (op.axes.empty()) return x;
  if (x.scalar_type() == at::kBFloat16) return fold(x.to(at::kFloat), op).to(at::kBFloat16);
  return fold(x, op);
}

at::Tensor evaluate(const graph::Softmax& op, const OpArguments& a) {
  const at::Tensor& x = a[0];
  if (x.scalar_type() == at::kBFloat16) return at::softmax(x, op.axis, at::kFloat).to(at::kBFloat16);
  return at::softmax(x, op.axis);
}

}  // namespace thimble::train
