// Matrix products, linear layers and convolutions.
#include <algorithm>
#include <numeric>

#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

using Form = Initialiser::Form;

std::string swapped(OnnxEmitter& e, ValueId id) {
  const Shape& shape = e.shape(id);
  if (shape.size() == 2 && e.is_parameter(id)) return e.parameter(id, Form::transposed, {shape[1], shape[0]});
  Ints perm(shape.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return e.transpose(e.in(id), perm);
}

}  // namespace

std::string lower_product(OnnxEmitter& e, const std::string& x, ValueId weight) {
  return e.node("MatMul", {x, swapped(e, weight)});
}

std::string lower_bias(OnnxEmitter& e, const std::string& x, ValueId bias) { return e.node("Add", {x, e.in(bias)}); }

void lower(OnnxEmitter& e, const MatMul& op, const Node& node) {
  const ValueId a = node.inputs[0], b = node.inputs[1];
  e.define(node.output,
           e.node("MatMul", {op.transpose_a ? swapped(e, a) : e.in(a), op.transpose_b ? swapped(e, b) : e.in(b)}));
}

void lower(OnnxEmitter& e, const Linear&, const Node& node) {
  std::string y = lower_product(e, e.in(node.inputs[0]), node.inputs[1]);
  if (node.inputs.size() > 2) y = lower_bias(e, y, node.inputs[2]);
  e.define(node.output, y);
}

OnnxAttributes conv_attributes(const Conv2d& op, const Shape& filter) {
  return OnnxAttributes()
      .integers("kernel_shape", {filter[2], filter[3]})
      .integers("strides", op.stride)
      .integers("pads", op.padding)
      .integers("dilations", op.dilation)
      .integer("group", op.groups);
}

void lower(OnnxEmitter& e, const Conv2d& op, const Node& node) {
  std::vector<std::string> in{e.in(node.inputs[0], Order::first), e.in(node.inputs[1])};
  if (node.inputs.size() > 2) in.push_back(e.in(node.inputs[2]));
  e.define(node.output, e.node("Conv", in, conv_attributes(op, e.shape(node.inputs[1]))), Order::first);
}

}  // namespace thimble::formats
