// What the tables of operators see: one operator at a time, its values, its attributes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gauge/import/emitter.h"
#include "gauge/model/model.h"

namespace thimble::gauge {

class Context;
using Handler = void (*)(Context&);
using HandlerTable = std::map<std::string_view, Handler>;

const HandlerTable& tflite_handlers();
const HandlerTable& onnx_handlers();

class Context {
 public:
  using Branch = std::function<std::vector<Value>(std::int64_t graph, const std::vector<Value>& arguments)>;

  Context(Emitter& emitter, const Model& model, const ModelGraph& graph, const ModelOp& op, std::vector<Value> values,
          std::vector<bool> present, const std::vector<int>& readers, const Branch& branch)
      : e(emitter),
        model(model),
        graph(graph),
        op(op),
        values_(std::move(values)),
        present_(std::move(present)),
        readers_(readers),
        branch_(branch),
        results_(op.outputs.size()) {}

  Emitter& e;
  const Model& model;
  const ModelGraph& graph;
  const ModelOp& op;

  std::size_t count() const { return values_.size(); }
  bool has(std::size_t i) const { return i < values_.size() && present_[i]; }
  const Value& in(std::size_t i) const {
    if (!has(i)) fail(ErrorKind::bad_file, "input {} is missing", i);
    return values_[i];
  }
  const std::vector<Value>& all() const {  // none of them left out
    for (std::size_t i = 0; i < count(); ++i) in(i);
    return values_;
  }
  const Value* optional(std::size_t i) const { return has(i) ? &values_[i] : nullptr; }
  // Nothing but this operator reads its input i.
  bool sole_reader(std::size_t i) const {
    return op.inputs[i] >= 0 && readers_[static_cast<std::size_t>(op.inputs[i])] == 1;
  }

  void out(std::size_t i, Value v) {
    if (i < results_.size()) results_[i] = std::move(v);
  }
  void out(Value v) { out(0, std::move(v)); }
  std::vector<std::optional<Value>>& results() { return results_; }

  // Axis `a` of x, counted from the end when negative.
  static std::int64_t axis(std::int64_t a, std::int64_t rank) {
    const std::int64_t at = a < 0 ? a + rank : a;
    if (at < 0 || at >= rank) fail(ErrorKind::bad_file, "axis {} of {} axes", a, rank);
    return at;
  }
  static graph::Ints axes(std::vector<std::int64_t> list, std::int64_t rank) {
    for (std::int64_t& a : list) a = axis(a, rank);
    return list;
  }

  std::vector<Value> run(std::int64_t graph_index, const std::vector<Value>& arguments) {
    return branch_(graph_index, arguments);
  }
  // All outputs from one branch or the other, by a condition of one element.
  void choose(const Value& condition, std::int64_t then_graph, std::int64_t else_graph,
              const std::vector<Value>& arguments);

 private:
  std::vector<Value> values_;
  std::vector<bool> present_;
  const std::vector<int>& readers_;
  const Branch& branch_;
  std::vector<std::optional<Value>> results_;
};

// Compositions that both formats use.
Value leaky_relu(Emitter& e, const Value& x, double alpha);
Value parametric_relu(Emitter& e, const Value& x, const Value& slope);
Value elu(Emitter& e, const Value& x, double alpha);
Value hard_swish(Emitter& e, const Value& x);
Value log_softmax(Emitter& e, const Value& x, std::int64_t axis);
Value mean_of(Emitter& e, const Value& x, graph::Ints axes, bool keep_dims);
Value greater_or_equal(Emitter& e, const Value& a, const Value& b);  // as not (a < b): true of NaN
Value tile(Emitter& e, const Value& x, const std::vector<std::int64_t>& repeats);
Value mirror_pad(Emitter& e, const Value& x, const graph::Ints& before, const graph::Ints& after, bool repeat_edge);
// Index of the largest (or least) number along an axis, the first of equals; as i32, that axis 1.
Value arg_extreme(Emitter& e, const Value& x, std::int64_t axis, bool least);
// The k largest (or least) along an axis in order, and their indices; `unsupported` above 128, as each takes a pass.
std::pair<Value, Value> top_k(Emitter& e, const Value& x, std::int64_t axis, std::int64_t k, bool least);
Value erf(Emitter& e, const Value& x);  // to 1.5e-7
// Rows of x (n, …) under indices (…, depth) into its first `depth` axes.
Value gather_nd(Emitter& e, const Value& x, const Value& indices);
// x with updates written over what constant indices name, the last one of equals standing.
Value scatter_nd(Emitter& e, const Value& x, const Value& indices, const Value& updates);
// Blocks of (N, H, W, C) into the batch and back; `rows`: padding, or what is cut off afterwards, (before, after) of H
// and W.
Value space_to_batch(Emitter& e, const Value& x, const std::vector<std::int64_t>& block,
                     const std::vector<std::int64_t>& rows);
Value batch_to_space(Emitter& e, const Value& x, const std::vector<std::int64_t>& block,
                     const std::vector<std::int64_t>& rows);
Value number_range(Emitter& e, const Value& begin, const Value& end, const Value& step);
// x[begin:end:step] with Python's rules for negative and excessive bounds; a step under 0 goes backwards.
Value python_slice(Emitter& e, const Value& x, std::int64_t axis, std::int64_t begin, std::int64_t end,
                   std::int64_t step);

}  // namespace thimble::gauge
