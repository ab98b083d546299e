// Builds graphs so that the code reads like the figure in the paper.
//
//   Builder b("mlp");
//   Var x = b.input("x", {1, 64});
//   auto s = b.scope("ffn");                         // parameter names get the prefix "ffn."
//   Var y = b.linear(b.gelu(b.linear(x, "fc1", 256)), "fc2", 64) + x;
//   b.output("y", y);
//   Graph g = b.finish();
//
// Shapes are checked at each call; errors name the op and the scope.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace thimble::graph {

class Builder;

// A value under construction. Copyable; valid while its Builder lives.
struct Var {
  Builder* builder = nullptr;
  ValueId id = -1;
  const Shape& shape() const;
  DType dtype() const;
  std::int64_t dim(int axis) const;  // negative counts from the end
};

Var operator+(Var a, Var b);
Var operator-(Var a, Var b);
Var operator*(Var a, Var b);
Var operator/(Var a, Var b);
Var operator+(Var a, double b);
Var operator*(Var a, double b);

class Scope {
 public:
  Scope(Builder& builder, std::size_t size) : builder_(&builder), size_(size) {}
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Builder* builder_;
  std::size_t size_;
};

class Builder {
 public:
  explicit Builder(std::string name);

  Var input(std::string name, Shape shape, DType dtype = DType::f32);
  // The name is prefixed with the scope. A name used twice gives the same parameter (shapes must agree).
  Var param(std::string_view name, Shape shape, Init init, DType dtype = DType::f32);
  Var constant(double value, DType dtype = DType::f32);
  Var constant(Shape shape, std::vector<double> values, DType dtype = DType::f32);
  void output(std::string name, Var v);
  void tap(std::string name, Var v);
  [[nodiscard]] Scope scope(std::string_view name);
  [[nodiscard]] Scope scope(std::string_view name, std::int64_t index);  // "name.index"
  std::string scoped(std::string_view name) const;

  // Appends any op; the typed helpers below call it.
  Var add(Op op, std::vector<Var> inputs);

  Var unary(UnaryKind kind, Var x);
  Var binary(BinaryKind kind, Var a, Var b);
  Var gelu(Var x) { return unary(UnaryKind::gelu, x); }
  Var gelu_tanh(Var x) { return unary(UnaryKind::gelu_tanh, x); }
  Var silu(Var x) { return unary(UnaryKind::silu, x); }
  Var relu(Var x) { return unary(UnaryKind::relu, x); }
  Var sigmoid(Var x) { return unary(UnaryKind::sigmoid, x); }
  Var tanh(Var x) { return unary(UnaryKind::tanh, x); }
  Var cast(Var x, DType dtype);
  Var where(Var condition, Var a, Var b);
  Var glu(Var x, UnaryKind activation);

  Var reshape(Var x, Shape shape);  // one size may be -1
  Var transpose(Var x, Ints perm);
  Var broadcast(Var x, Shape shape);
  Var slice(Var x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1);
  std::vector<Var> chunk(Var x, int axis, std::int64_t parts);
  Var pad(Var x, Ints before, Ints after, double value = 0);
  Var concat(std::vector<Var> xs, int axis);
  Var gather(Var table, Var indices, int axis = 0);

  Var reduce(ReduceKind kind, Var x, Ints axes, bool keep_dims = true);
  Var mean(Var x, Ints axes, bool keep_dims = true) { return reduce(ReduceKind::mean, x, std::move(axes), keep_dims); }
  Var sum(Var x, Ints axes, bool keep_dims = true) { return reduce(ReduceKind::sum, x, std::move(axes), keep_dims); }
  Var softmax(Var x, int axis = -1);
  Var matmul(Var a, Var b, bool transpose_a = false, bool transpose_b = false);

  // Layers with parameters "<name>.weight" and "<name>.bias". Default start: normal, std 1/sqrt(fan in); bias zeros.
  struct LinearOptions {
    bool bias = true;
    double init_scale = 1;
  };  // init_scale 0: zeros
  Var linear(Var x, std::string_view name, std::int64_t out, LinearOptions options);
  Var linear(Var x, std::string_view name, std::int64_t out) { return linear(x, name, out, LinearOptions()); }
  struct ConvOptions {
    std::int64_t kernel = 3, stride = 1, padding = -1;  // padding -1: (kernel - 1) / 2 on every side
    std::int64_t groups = 1;
    bool bias = true;
    double init_scale = 1;
  };
  Var conv2d(Var x, std::string_view name, std::int64_t out, ConvOptions options);
  Var conv2d(Var x, std::string_view name, std::int64_t out) { return conv2d(x, name, out, ConvOptions()); }
  Var embedding(Var ids, std::string_view name, std::int64_t count, std::int64_t width, double std = 0.02);
  Var layer_norm(Var x, double eps = 1e-6);                         // no parameters
  Var layer_norm(Var x, std::string_view name, double eps = 1e-6);  // weight and bias
  Var rms_norm(Var x, std::string_view name, double eps = 1e-6);    // weight
  Var group_norm(Var x, std::string_view name, std::int64_t groups, double eps = 1e-6);
  Var modulate(Var x, Var shift, Var scale);
  Var attention(Var q, Var k, Var v, Attention options);
  Var attention(Var q, Var k, Var v, Var mask, Attention options);
  Var sinusoidal(Var t, SinusoidalEmbedding options);
  Var resize(Var x, ResizeMode mode, std::int64_t height, std::int64_t width);
  Var pool2d(Var x, Pool2d options);
  Var pixel_shuffle(Var x, std::int64_t factor);
  Var pixel_unshuffle(Var x, std::int64_t factor);

  const Graph& graph() const { return graph_; }
  Graph finish();  // verifies; the builder is empty afterwards

 private:
  friend class Scope;
  Graph graph_;
  std::string prefix_;
};

}  // namespace thimble::graph
