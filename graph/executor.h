// The contract of everything that runs graphs: compile once, run often.
//
//   auto program = executor.compile(graph, weights, {.precision = Precision::bf16});
//   program->run({x.view()}, {y.mutable_view()});
//
// One conformance list (tests/conformance) judges all executors.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::graph {

// How activations are stored and matrices multiplied. Sums, norms and softmax are in f32 in either.
enum class Precision : std::uint8_t { f32, bf16 };
std::string_view to_string(Precision precision);

struct CompileOptions {
  Precision precision = Precision::f32;
};

// What a program needs, in bytes. `peak_bytes` = weights as it holds them + arena + scratch.
struct MemoryReport {
  std::size_t weight_bytes = 0;      // packed copies and mapped originals that stay in use
  std::size_t activation_bytes = 0;  // peak of the activation arena
  std::size_t scratch_bytes = 0;     // per-thread scratch of kernels
  std::size_t peak_bytes() const { return weight_bytes + activation_bytes + scratch_bytes; }
};

class Program {
 public:
  virtual ~Program() = default;

  // Order and shapes as graph.inputs and graph.outputs. Floating buffers may be f32 or bf16, integer ones i32;
  // bool as bytes. The caller owns all buffers; the program keeps no state between runs.
  virtual void run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                   const CancelToken* cancel = nullptr) = 0;

  virtual MemoryReport memory() const { return {}; }
  virtual std::string explain() const { return {}; }  // kernel choices with reasons, for people

  // Convenience for tests and tools: allocates f32 (or i32) outputs.
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs);

  const std::vector<TensorType>& output_types() const { return output_types_; }

 protected:
  explicit Program(const Graph& graph);
  std::vector<TensorType> input_types_, output_types_;
  std::vector<std::string> input_names_;
  // Throws bad_input naming the input or output that does not fit.
  void check_arguments(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) const;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string name() const = 0;  // "reference", "torch cpu", "device avx512_bf16, 2 threads"
  virtual std::unique_ptr<Program> compile(const Graph& graph, const Weights& weights,
                                           const CompileOptions& options) = 0;
};

}  // namespace thimble::graph
