#include "diffusion/published/network.h"

#include "base/error.h"
#include "models/bind.h"
#include "passes/split_invariant.h"

namespace thimble::diffusion {

using graph::Graph;
using graph::Tensor;

Network::Network(const NetworkWeights& weights, const Graph& graph, graph::Executor& executor,
                 graph::Precision precision, const std::set<std::string>& steady)
    : what_(weights.name) {
  const graph::Weights& stored = weights.stored;
  std::set<std::string> there;
  for (const std::string& name : steady) {
    if (graph.find_input(name)) there.insert(name);
  }
  if (there.empty()) {
    rest_ = compile(graph, stored, executor, precision);
  } else {
    const passes::Split split = passes::split_invariant(graph, there);
    if (!split.once.outputs.empty()) once_ = compile(split.once, stored, executor, precision);
    rest_ = compile(split.rest, stored, executor, precision);
  }
  if (weights.read_bytes > 0) stored_bytes_ = weights.read_bytes;
  if (weights.release) weights.release();
}

Network::Compiled Network::compile(const Graph& graph, const graph::Weights& stored, graph::Executor& executor,
                                   graph::Precision precision) {
  Compiled c;
  const graph::Weights bound = models::bind_checkpoint(graph, stored, what_);
  for (const std::string& name : bound.names()) stored_bytes_ += bound.at(name).type().bytes();
  c.program = executor.compile(graph, bound, {.precision = precision});
  for (const graph::ValueId id : graph.inputs) c.inputs.push_back(graph.value(id).name);
  for (const graph::NamedValue& o : graph.outputs) c.outputs.push_back(o.name);
  return c;
}

NamedTensors Network::run(Compiled& c, const NamedTensors& values, const CancelToken* cancel) const {
  std::vector<graph::TensorView> in;
  for (const std::string& name : c.inputs) {
    const auto given = values.find(name);
    const auto it = given != values.end() ? given : fixed_.find(name);
    if (given == values.end() && it == fixed_.end()) {
      fail(ErrorKind::unsupported, "{}: the network wants an input '{}' that the pipeline does not have", what_, name);
    }
    in.push_back(it->second.view());
  }
  NamedTensors made;
  std::vector<graph::MutableTensorView> out;
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    Tensor& t = made[c.outputs[i]];
    t = Tensor({DType::f32, c.program->output_types()[i].shape});
    out.push_back(t.mutable_view());
  }
  with_context(fmt::format("while running {}", what_), [&] { c.program->run(in, out, cancel); });
  return made;
}

void Network::fix(const NamedTensors& values, const CancelToken* cancel) {
  fixed_ = values;
  if (!once_.program) return;
  fixed_.merge(run(once_, values, cancel));
}

const NamedTensors& Network::run(const NamedTensors& values, const CancelToken* cancel) {
  results_ = run(rest_, values, cancel);
  return results_;
}

graph::MemoryReport Network::memory() const {
  graph::MemoryReport sum = rest_.program->memory();
  if (once_.program) {
    const graph::MemoryReport once = once_.program->memory();
    sum.weight_bytes += once.weight_bytes;
    sum.activation_bytes += once.activation_bytes;
    sum.scratch_bytes += once.scratch_bytes;
  }
  return sum;
}

}  // namespace thimble::diffusion
