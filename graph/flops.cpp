// Floating-point operations of one op. Core ops are counted here; a module op counts what its decomposition counts,
// so that rewriting a graph never changes its price. A quantised product counts what the product of floats does.
#include <concepts>
#include <numeric>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/decompose.h"
#include "graph/op.h"

namespace thimble::graph {
namespace {

using Types = std::span<const TensorType>;

double elements(const TensorType& type) { return static_cast<double>(type.elements()); }

// One per result: arithmetic, comparisons and function calls alike.
template <class T>
concept PerResult = std::same_as<T, Unary> || std::same_as<T, Binary> || std::same_as<T, Where>;

template <class T>
concept Move = std::same_as<T, Constant> || std::same_as<T, Cast> || std::same_as<T, Reshape> ||
    std::same_as<T, Transpose> || std::same_as<T, Broadcast> || std::same_as<T, Slice> || std::same_as<T, Pad> ||
    std::same_as<T, Concat> || std::same_as<T, Gather>;

double flops_of(const PerResult auto&, Types, const TensorType& out) { return elements(out); }
double flops_of(const Move auto&, Types, const TensorType&) { return 0; }

double flops_of(const Reduce&, Types in, const TensorType&) { return elements(in[0]); }

double flops_of(const MatMul& op, Types in, const TensorType& out) {
  const Shape& a = in[0].shape;
  return 2 * elements(out) * static_cast<double>(a[a.size() - (op.transpose_a ? 2 : 1)]);
}

double flops_of(const Conv2d&, Types in, const TensorType& out) {
  const Shape& weight = in[1].shape;  // (O, I/groups, kh, kw)
  const double products = static_cast<double>(weight[1] * weight[2] * weight[3]);
  return elements(out) * (2 * products + (in.size() > 2 ? 1 : 0));
}

double flops_of(const Pool2d& op, Types, const TensorType& out) {
  return elements(out) * static_cast<double>(op.kernel[0] * op.kernel[1]);
}

// As a linear layer of floats: what rounding and unpacking cost is the executor's affair.
double flops_of(const QuantLinear&, Types in, const TensorType& out) {
  return elements(out) * (2 * static_cast<double>(in[0].shape.back()) + (in.size() > 3 ? 1 : 0));
}

double flops_of(const QuantConv2d& op, Types in, const TensorType& out) {
  const double biased = in.size() > 3 ? elements(out) : 0;
  return flops_of(Conv2d{op.stride, op.padding, op.dilation, op.groups}, in.first(2), out) + biased;
}

// Bilinear: two blends along x and one along y, each a subtraction and a multiply-add.
double flops_of(const Resize& op, Types, const TensorType& out) {
  return op.mode == ResizeMode::bilinear ? 9 * elements(out) : 0;
}

double flops_of(const ModuleOp auto& op, Types in, const TensorType&) {
  Builder b("cost");
  std::vector<Var> inputs;
  for (const TensorType& type : in)
    inputs.push_back(b.input(fmt::format("x{}", inputs.size()), type.shape, type.dtype));
  b.output("y", b.add(op, inputs));
  const Graph core = decompose(b.finish());
  return std::transform_reduce(core.nodes.begin(), core.nodes.end(), 0.0, std::plus<>(), [&](const Node& node) {
    return op_flops(node.op, input_types(core, node), core.type(node.output));
  });
}

}  // namespace

double op_flops(const Op& op, Types inputs, const TensorType& output) {
  return std::visit([&](const auto& o) { return flops_of(o, inputs, output); }, op);
}

}  // namespace thimble::graph
