// The device executor: compiles a graph and weights into a plan (fused steps, packed weights, one arena, kernels chosen
// from tables) and runs it without allocating. The plan can be asked for without weights.
// Not here: how a plan is made (plan.h) and what its steps do (steps.h).
//
//   auto executor = make_device_executor({.threads = 2});
//   auto program = executor->compile(graph, weights, {.precision = Precision::bf16});
//   program->run(inputs, outputs);            // allocates nothing
//
// Programs of one executor share its threads and its packed weights: compiling the same weights for another batch or
// resolution adds activations only. Runs of one executor's programs from several threads wait for each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "graph/executor.h"

namespace thimble::runtime {

struct DeviceOptions {
  Isa isa = best_isa();  // no kernel above this level is taken
  int threads = 0;       // 0: usable_processors()
  // Called while weights are packed, every few megabytes, and at the end of every compile. The original tensors that
  // were packed are not read again, so whoever mapped their file may release its pages here
  // (MappedFile::release_pages): then originals and packed copies never stand side by side.
  std::function<void()> packed = {};
};

// One step of a plan, for people and tools.
struct StepReport {
  int node = -1;        // index in graph.nodes of the op that gives the step its name; -1: made by the plan
  std::string op;       // "linear+gelu_tanh", "linear+gate+residual", "copy"
  std::string output;   // type as stored: "bf16[2,64,256]"
  std::string kernel;   // row of the kernel table, or "plain"
  std::string refused;  // better rows and why they were not taken; empty when the best one was
  double flops = 0;
  std::size_t weight_bytes = 0;  // static operands as held: packed matrices, biases, tables
  std::string place;             // of the result: "arena", "output 0"
  std::size_t offset = 0;        // in the arena
  std::size_t bytes = 0;         // of the result
  std::size_t moved_bytes = 0;   // read and written at least once: operands, weights, the result
};

struct PlanReport {
  std::vector<StepReport> steps;
  graph::MemoryReport memory;
  double flops = 0;
  std::string executor;  // "device avx512_bf16, 2 threads"
};

// Needs no weights. Errors: unsupported, naming the op and the type that no kernel serves.
PlanReport plan_report(const graph::Graph& graph, const graph::CompileOptions& compile, const DeviceOptions& device);

// A table of the steps, one a line, then the sums.
std::string print_report(const PlanReport& report);

// What make_device_executor's compile() gives (dynamic_cast from graph::Program).
class DeviceProgram : public graph::Program {
 public:
  using graph::Program::Program;
  virtual const PlanReport& report() const = 0;
  // The part of memory().weight_bytes that another living program of the same executor holds too.
  virtual std::size_t shared_weight_bytes() const = 0;
  // While on, run() measures every step. Turning it on forgets earlier measurements.
  virtual void set_profile(bool on) = 0;
  // Nanoseconds of each step of report(), summed over the runs since set_profile(true).
  virtual std::span<const std::int64_t> profile_ns() const = 0;
  virtual std::int64_t profiled_runs() const = 0;
};

std::unique_ptr<graph::Executor> make_device_executor(const DeviceOptions& options = {});

}  // namespace thimble::runtime
