// One overload per op: the ONNX nodes that compute it. An op without one does not compile. Overloads end in
// OnnxEmitter::define of the node's output.
#pragma once

#include "formats/onnx/emitter.h"
#include "graph/op.h"

namespace thimble::formats {

#define CORE(type, name) void lower(OnnxEmitter& e, const graph::type& op, const graph::Node& node);
#define MODULE(type, name) CORE(type, name)
#include "graph/ops.inc"
#undef CORE
#undef MODULE

// Shared by ops that contain others.
std::string lower_unary(OnnxEmitter& e, graph::UnaryKind kind, const std::string& x, DType dtype);
// x (..., K) times a matrix that is stored as (N, K).
std::string lower_product(OnnxEmitter& e, const std::string& x, graph::ValueId weight);
// The sum of x and a bias of the last axis.
std::string lower_bias(OnnxEmitter& e, const std::string& x, graph::ValueId bias);
// Of ONNX's Conv; filter: (O, I/groups, kh, kw).
OnnxAttributes conv_attributes(const graph::Conv2d& op, const graph::Shape& filter);

// Every node that an output needs, in order.
void lower_graph(OnnxEmitter& e);

}  // namespace thimble::formats
