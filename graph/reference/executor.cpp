// Walks the nodes of the decomposed graph in order. Values are dropped after their last use; weights are widened once.
#include <optional>

#include "base/error.h"
#include "graph/decompose.h"
#include "graph/reference.h"
#include "graph/reference/interpret.h"

namespace thimble::graph {
namespace {

using reference::Array;

Array evaluate(const Op& op, reference::Arrays in, const TensorType& out) {
  return std::visit(
      [&]<class T>(const T& o) -> Array {
        if constexpr (ModuleOp<T>) {
          fail(ErrorKind::internal, "reference: {} was not decomposed", OpTraits<T>::kName);
        } else {
          return reference::interpret(o, in, out);
        }
      },
      op);
}

class ReferenceProgram final : public Program {
 public:
  ReferenceProgram(const Graph& graph, const Weights& weights)
      : Program(graph), graph_(decompose(graph)), weights_(graph_.values.size()) {
    weights.check_covers(graph_, graph_.name);
    for (const Parameter& p : graph_.parameters) {
      const Value& value = graph_.value(p.value);
      weights_[index(p.value)] = reference::load(weights.at(value.name).view(), value.type.dtype);
    }
  }

  void run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           const CancelToken* cancel) override {
    check_arguments(inputs, outputs);
    std::vector<std::optional<Array>> values(graph_.values.size());
    std::vector<int> uses = use_counts(graph_);
    const auto find = [&](ValueId id) -> const Array& {
      const auto& own = values[index(id)];
      return own ? *own : weights_[index(id)].value();
    };

    for (std::size_t i = 0; i < inputs.size(); ++i) {
      values[index(graph_.inputs[i])] = reference::load(inputs[i], input_types_[i].dtype);
    }
    for (const Node& node : graph_.nodes) {
      if (cancel != nullptr) cancel->throw_if_cancelled();
      std::vector<const Array*> in;
      for (ValueId id : node.inputs) in.push_back(&find(id));
      values[index(node.output)] = evaluate(node.op, in, graph_.type(node.output));
      for (ValueId id : node.inputs) {
        if (--uses[index(id)] == 0) values[index(id)].reset();
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) reference::store(find(graph_.outputs[i].value), outputs[i]);
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }

  Graph graph_;
  std::vector<std::optional<Array>> weights_;  // as graph_.values; only parameters have one
};

class ReferenceExecutor final : public Executor {
 public:
  std::string name() const override { return "reference"; }
  std::unique_ptr<Program> compile(const Graph& graph, const Weights& weights, const CompileOptions&) override {
    return std::make_unique<ReferenceProgram>(graph, weights);
  }
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor() { return std::make_unique<ReferenceExecutor>(); }

}  // namespace thimble::graph
