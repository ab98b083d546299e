// Builds a graph from a foreign model's operators. Values are seen in the foreign model's own axis order; how they are
// stored is the emitter's business: a transposition is only noted, and done when an op needs another order, so that
// channels-first models run channels-last. What depends on constants alone is computed at once by the reference
// executor, so that shape arithmetic leaves no trace in the graph.
// Integers are i32 throughout: wider ones are narrowed, saturating. Floating constants keep their type until used.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/weights.h"

namespace thimble::gauge {

using graph::to_string;  // of shapes and types, beside those of this folder

struct Value {
  graph::TensorType type;                 // in the foreign order; floats are f32, integers i32, or bool
  std::optional<graph::Tensor> constant;  // known now, dense in the foreign order; or
  graph::Var var;                         // computed by the graph, whose axis `order[i]` is foreign axis i
  graph::Ints order;
  std::string name;  // of a constant, for parameters

  const graph::Shape& shape() const { return type.shape; }
  std::int64_t dim(std::int64_t axis) const {
    if (axis < 0 || axis >= rank()) fail(ErrorKind::bad_file, "axis {} of {}", axis, graph::to_string(type));
    return type.shape[static_cast<std::size_t>(axis)];
  }
  std::int64_t rank() const { return static_cast<std::int64_t>(type.shape.size()); }
};

struct Window {  // of convolutions and pooling over (H, W)
  graph::Ints kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  graph::Ints padding{0, 0, 0, 0};  // top, left, bottom, right
};

class Emitter {
 public:
  explicit Emitter(std::string name);

  Value constant(graph::Tensor tensor, std::string name = {});
  Value scalar(double v, DType dtype = DType::f32);
  Value integers(const std::vector<std::int64_t>& values);  // (n)
  Value input(const std::string& name, graph::Shape shape, DType dtype);
  void output(const std::string& name, const Value& v);

  // Contents of a constant; `unsupported` when the graph would have to compute it. `what` names it in the error.
  std::vector<std::int64_t> known_integers(const Value& v, std::string_view what) const;
  std::vector<double> known_numbers(const Value& v, std::string_view what) const;

  Value unary(graph::UnaryKind kind, const Value& x);
  Value binary(graph::BinaryKind kind, const Value& a, const Value& b);  // NumPy broadcasting
  Value where(const Value& condition, const Value& a, const Value& b);
  Value cast(const Value& x, DType dtype);
  Value logical_not(const Value& x) { return unary(graph::UnaryKind::logical_not, x); }

  Value reshape(const Value& x, graph::Shape shape);  // one size may be -1
  Value transpose(const Value& x, const graph::Ints& perm);
  Value broadcast(const Value& x, const graph::Shape& shape);
  Value slice(const Value& x, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);
  Value pad(const Value& x, const graph::Ints& before, const graph::Ints& after, double value);
  Value concat(const std::vector<Value>& xs, std::int64_t axis);
  Value gather(const Value& table, const Value& indices, std::int64_t axis);
  Value reverse(const Value& x, std::int64_t axis);

  Value reduce(graph::ReduceKind kind, const Value& x, graph::Ints axes, bool keep_dims);
  Value softmax(const Value& x, std::int64_t axis);
  Value matmul(const Value& a, const Value& b, bool transpose_a = false, bool transpose_b = false);
  Value linear(const Value& x, const Value& weight, const Value* bias);  // weight (O, I)

  // Pictures, in the foreign order (N, H, W, C). Weights (O, I/groups, kh, kw), bias (O).
  Value conv2d(const Value& x, const Value& weight, const Value* bias, const Window& window, std::int64_t groups);
  // weight (I, O/groups, kh, kw); out = (in - 1) stride - padding + dilation (kernel - 1) + 1 + extra {bottom, right}.
  Value conv_transpose2d(const Value& x, const Value& weight, const Value* bias, const Window& window,
                         std::int64_t groups, const graph::Ints& extra);
  // count_padding: padded positions count as zeros in averages.
  Value pool2d(graph::PoolKind kind, const Value& x, const Window& window, bool count_padding);
  Value resize(const Value& x, const graph::Resize& op);
  // y = x scale + shift per channel (the last axis). `sole`: nothing else reads x, so a convolution before takes it in.
  Value scale_shift(const Value& x, const Value& scale, const Value& shift, bool sole);
  Value pixel_shuffle(const Value& x, std::int64_t factor, bool space_first);
  Value pixel_unshuffle(const Value& x, std::int64_t factor, bool space_first);

  // Clamps between numbers; an absent one is none.
  Value clamp(const Value& x, std::optional<double> low, std::optional<double> high);
  Value add(const Value& a, const Value& b) { return binary(graph::BinaryKind::add, a, b); }
  Value sub(const Value& a, const Value& b) { return binary(graph::BinaryKind::sub, a, b); }
  Value mul(const Value& a, const Value& b) { return binary(graph::BinaryKind::mul, a, b); }
  Value div(const Value& a, const Value& b) { return binary(graph::BinaryKind::div, a, b); }

  std::size_t nodes() const { return builder_.graph().nodes.size(); }
  // What the outputs need; inputs stay. The emitter is empty afterwards.
  std::pair<graph::Graph, graph::Weights> finish();

 private:
  struct Convolution {
    graph::Var x;
    graph::Tensor weight;
    std::optional<graph::Tensor> bias;
    graph::Conv2d op;
    std::string name;
  };

  Value of(graph::Var var, graph::Ints order);
  Value of(graph::Var var);
  graph::Var lift(const Value& constant);  // as a literal or a parameter
  graph::Var plain(const Value& v);        // stored in the foreign order
  graph::Var stored(const Value& v, const graph::Ints& order);
  // All with one rank and one order of storage; the order.
  graph::Ints align(std::span<const Value> xs, std::vector<graph::Var>& out);
  bool foldable(std::span<const Value> xs) const;
  Value fold(const graph::Op& op, std::span<const Value> xs);
  Value plain_op(const graph::Op& op, std::span<const Value> xs);  // folded, or on plain operands
  Value emit_conv(const Convolution& c);

  graph::Builder builder_;
  graph::Weights weights_;
  std::unique_ptr<graph::Executor> reference_;
  std::map<std::pair<graph::ValueId, graph::Ints>, graph::Var> moved_;
  std::map<std::string, graph::Var> parameters_;
  std::map<graph::ValueId, Convolution> convolutions_;
  std::set<std::string> names_;
  std::set<std::string> outputs_;
};

// Host-side transposition of any element type: result axis i is axis perm[i].
graph::Tensor permuted(const graph::Tensor& t, const graph::Ints& perm);

}  // namespace thimble::gauge
