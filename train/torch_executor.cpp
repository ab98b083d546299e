#include "train/torch_executor.h"

#include <c10/core/InferenceMode.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cstring>
#include <limits>
#include <set>

#include "base/threads.h"
#include "graph/weights.h"
#include "train/torch_ops.h"

namespace thimble::train {
namespace {

using graph::Graph;

std::set<std::string> names_of_scales(const Graph& graph) {
  std::set<std::string> names;
  for (const graph::Node& node : graph.nodes) {
    const bool quantised =
        std::holds_alternative<graph::QuantLinear>(node.op) || std::holds_alternative<graph::QuantConv2d>(node.op);
    if (quantised) names.insert(graph.value(node.inputs[2]).name);
  }
  return names;
}

class TorchProgram final : public graph::Program {
 public:
  TorchProgram(const Graph& graph, const graph::Weights& weights, graph::Precision precision, const at::Device& device)
      : Program(graph), graph_(graph), precision_(precision), device_(device) {
    parameters_ = load_parameters(graph, weights, device);
    const std::set<std::string> scales = names_of_scales(graph);
    for (auto& [name, tensor] : parameters_) {
      // Vectors (biases, norms) stay f32: norms read them so, and products cast them on the way. So do the scales of
      // quantised weights; the integers themselves are exact in bf16.
      if (precision == graph::Precision::bf16 && tensor.dim() > 1 && !scales.contains(name)) {
        tensor = tensor.to(at::kBFloat16);
      }
      report_.weight_bytes += tensor.numel() * tensor.element_size();
    }
  }

  void run(std::span<const graph::TensorView> inputs, std::span<const graph::MutableTensorView> outputs,
           const CancelToken* cancel) override {
    check_arguments(inputs, outputs);
    const c10::InferenceMode guard;
    std::vector<at::Tensor> tensors;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      tensors.push_back(borrow(inputs[i]).to(device_, scalar_type(input_types_[i].dtype)));
    }
    const auto results = run_graph(graph_, parameters_, tensors, precision_, cancel);
    for (std::size_t i = 0; i < outputs.size(); ++i) borrow(outputs[i]).copy_(results[i]);
  }

  graph::MemoryReport memory() const override { return report_; }

 private:
  Graph graph_;
  graph::Precision precision_;
  at::Device device_;
  Parameters parameters_;
  graph::MemoryReport report_;
};

class TorchExecutor final : public graph::Executor {
 public:
  explicit TorchExecutor(at::Device device) : device_(device) {}
  std::string name() const override { return "torch " + device_.str(); }
  std::unique_ptr<graph::Program> compile(const Graph& graph, const graph::Weights& weights,
                                          const graph::CompileOptions& options) override {
    graph::verify(graph);
    return std::make_unique<TorchProgram>(graph, weights, options.precision, device_);
  }

 private:
  at::Device device_;
};

}  // namespace

std::vector<at::Tensor> run_graph(const Graph& graph, const Parameters& parameters,
                                  const std::vector<at::Tensor>& inputs, graph::Precision precision,
                                  const CancelToken* cancel) {
  check(inputs.size() == graph.inputs.size(), "run_graph: one tensor per graph input");
  std::vector<at::Tensor> values(graph.values.size());
  std::vector<int> uses = graph::use_counts(graph);
  for (std::size_t i = 0; i < inputs.size(); ++i) values[graph.inputs[i]] = inputs[i];
  for (const graph::Parameter& p : graph.parameters) {
    const auto found = parameters.find(graph.value(p.value).name);
    if (found == parameters.end()) fail(ErrorKind::bad_input, "parameter '{}' is missing", graph.value(p.value).name);
    values[p.value] = found->second;
  }
  const at::Device device = graph.parameters.empty() ? (inputs.empty() ? at::Device(at::kCPU) : inputs[0].device())
                                                     : values[graph.parameters[0].value].device();
  const bool bf16 = precision == graph::Precision::bf16;
  std::vector<at::Tensor> arguments;
  for (const graph::Node& node : graph.nodes) {
    if (cancel) cancel->throw_if_cancelled();
    arguments.clear();
    for (const graph::ValueId id : node.inputs) arguments.push_back(values[id]);
    const OpArguments a{arguments, graph.type(node.output), device, bf16};
    try {
      values[node.output] = std::visit([&](const auto& op) { return evaluate(op, a); }, node.op);
    } catch (const c10::Error& e) {
      fail(ErrorKind::internal, "torch refused {} with result {}: {}", graph::op_name(node.op),
           graph::to_string(a.type), e.what_without_backtrace());
    }
    for (const graph::ValueId id : node.inputs) {
      if (--uses[id] == 0) values[id] = at::Tensor();
    }
  }
  std::vector<at::Tensor> outputs;
  for (const graph::NamedValue& output : graph.outputs) {
    const at::Tensor& value = values[output.value];
    outputs.push_back(value.scalar_type() == at::kBFloat16 ? value.to(at::kFloat) : value);
  }
  return outputs;
}

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return at::kFloat;
    case DType::bf16: return at::kBFloat16;
    case DType::f16: return at::kHalf;
    case DType::f64: return at::kDouble;
    case DType::i32: return at::kInt;
    case DType::i64: return at::kLong;
    case DType::i8: return at::kChar;
    case DType::u8: return at::kByte;
    case DType::boolean: return at::kBool;
  }
  fail(ErrorKind::internal, "unknown dtype");
}

DType dtype_of(at::ScalarType type) {
  for (const DType d : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32, DType::i64, DType::i8, DType::u8,
                        DType::boolean}) {
    if (scalar_type(d) == type) return d;
  }
  fail(ErrorKind::unsupported, "no Thimble type for torch's {}", at::toString(type));
}

bool torch_has_cuda() { return at::hasCUDA(); }

at::Device torch_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (!name.starts_with("cuda")) fail(ErrorKind::bad_input, "device '{}' is not known; cpu or cuda were wanted", name);
  if (!torch_has_cuda()) {
    fail(ErrorKind::unsupported,
         "device '{}': this LibTorch ({}) sees no GPU; use --device cpu, or build against a "
         "LibTorch with CUDA (THIMBLE_TORCH_DIR)",
         name, TORCH_VERSION);
  }
  return at::Device(name);
}

void set_torch_threads(int threads) { at::set_num_threads(threads > 0 ? threads : usable_processors()); }

void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}

at::Tensor borrow(const graph::TensorView& view) {
  return at::from_blob(const_cast<std::byte*>(view.data), view.type.shape, scalar_type(view.type.dtype));
}

at::Tensor to_torch(const graph::TensorView& view) { return borrow(view).clone(); }

graph::Tensor from_torch(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().cpu().contiguous();
  graph::Tensor out({dtype_of(dense.scalar_type()), dense.sizes().vec()});
  std::memcpy(out.mutable_data(), dense.data_ptr(), out.type().bytes());
  return out;
}

Parameters load_parameters(const Graph& graph, const graph::Weights& weights, const at::Device& device) {
  weights.check_covers(graph, graph.name);
  Parameters parameters;
  for (const graph::Parameter& p : graph.parameters) {
    const graph::Value& value = graph.value(p.value);
    // A copy in every case: stores may be mapped read-only, and training changes its parameters in place.
    parameters[value.name] = borrow(weights.at(value.name).view()).to(device, at::kFloat, false, true);
  }
  return parameters;
}

std::unique_ptr<graph::Executor> make_torch_executor(const std::string& device, int threads) {
  set_torch_threads(threads);
  return std::make_unique<TorchExecutor>(torch_device(device));
}

}  // namespace thimble::train
