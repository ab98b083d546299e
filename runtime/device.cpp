// The executor and its programs: binding weights to a plan, and running it.
#include "runtime/device.h"

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/error.h"
#include "base/index.h"
#include "base/memory.h"
#include "base/threads.h"
#include "runtime/packed.h"
#include "runtime/plan.h"

namespace thimble::runtime {

using namespace graph;

namespace {

// What the programs of one executor have in common.
struct Shared {
  Shared(Isa isa_cap, int threads) : isa(isa_cap), pool(threads) {}
  Isa isa;
  ThreadPool pool;
  std::mutex running;  // the pool serves one caller at a time
  PackedWeights packed;
  std::function<void()> on_packed;
};

// Bytes packed until the pages of the originals go back.
constexpr std::size_t kReleaseBytes = 8u << 20;

class Program final : public DeviceProgram {
 public:
  Program(const Graph& graph, const Weights& weights, const CompileOptions& options, std::shared_ptr<Shared> shared)
      : DeviceProgram(graph),
        shared_(std::move(shared)),
        plan_(make_plan(graph, options, shared_->isa, shared_->pool.threads())),
        arena_(plan_.arena_bytes),
        scratch_(plan_.scratch_bytes),
        casts_(kernels::pick_elementwise(DType::f32, shared_->isa)) {
    weights.check_covers(graph, graph.name);
    {
      std::lock_guard lock(shared_->running);
      std::size_t since = 0;
      for (const FixedBuffer& b : plan_.fixed) {
        packed_.push_back(with_context(b.key, [&] { return shared_->packed.get(b, weights, shared_->pool); }));
        since += b.bytes;
        if (since >= kReleaseBytes && shared_->on_packed) {
          shared_->on_packed();
          since = 0;
        }
      }
      if (shared_->on_packed) shared_->on_packed();
    }
    for (const PlanBuffer& b : plan_.buffers) {
      // Fixed buffers are only read: no step writes to one.
      places_.push_back(b.home == Home::fixed ? const_cast<std::byte*>(packed_[index(b.index)]->data())
                                              : arena_.data() + b.offset);
    }
    profile_.assign(plan_.steps.size(), 0);
    for (FixedBuffer& b : plan_.fixed) b.fill = nullptr;
  }

  void run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
           const CancelToken* cancel) override {
    check_arguments(inputs, outputs);
    std::lock_guard lock(shared_->running);
    for (std::size_t i = 0; i < inputs.size(); ++i) take(plan_.inputs[i], inputs[i]);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const PlanBuffer& b = plan_.buffers[index(plan_.outputs[i])];
      places_[index(plan_.outputs[i])] = outputs[i].type.dtype == b.dtype ? outputs[i].data : arena_.data() + b.offset;
    }
    StepContext context{places_.data(), shared_->pool, scratch_.data()};
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      if (cancel != nullptr) cancel->throw_if_cancelled();
      context.io = &plan_.steps[i].io;
      const auto start = profiling_ ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
      std::visit([&](const auto& step) { step.run(context); }, plan_.steps[i].step);
      if (profiling_) profile_[i] += std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) give(plan_.outputs[i], outputs[i]);
    if (profiling_) ++profiled_runs_;
  }

  MemoryReport memory() const override { return plan_.report.memory; }
  std::string explain() const override { return print_report(plan_.report); }
  const PlanReport& report() const override { return plan_.report; }

  std::size_t shared_weight_bytes() const override {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < packed_.size(); ++i) {
      if (packed_[i].use_count() > 1) bytes += plan_.fixed[i].bytes;
    }
    return bytes;
  }

  void set_profile(bool on) override {
    if (on) {
      std::ranges::fill(profile_, 0);
      profiled_runs_ = 0;
    }
    profiling_ = on;
  }
  std::span<const std::int64_t> profile_ns() const override { return profile_; }
  std::int64_t profiled_runs() const override { return profiled_runs_; }

 private:
  // At the border: the caller's buffer itself where types agree, else a converted copy in the arena.
  void take(int buffer, const TensorView& from) {
    const PlanBuffer& b = plan_.buffers[index(buffer)];
    if (b.first < 0) return;  // not read by any step
    if (from.type.dtype == b.dtype) {
      places_[index(buffer)] = const_cast<std::byte*>(from.data);  // only read: inputs are never overwritten
      return;
    }
    places_[index(buffer)] = arena_.data() + b.offset;
    convert_all(from.type.dtype, from.data, b.dtype, places_[index(buffer)], from.type.elements());
  }
  void give(int buffer, const MutableTensorView& to) {
    const PlanBuffer& b = plan_.buffers[index(buffer)];
    if (to.type.dtype == b.dtype) return;
    convert_all(b.dtype, places_[index(buffer)], to.type.dtype, to.data, to.type.elements());
  }
  void convert_all(DType from, const void* src, DType to, void* dst, std::int64_t n) {
    if (kernels::can_cast(from, to)) {
      kernels::cast(*casts_, from, src, to, dst, n, shared_->pool);
    } else {
      convert(from, src, to, dst, index(n));  // f64
    }
  }

  std::shared_ptr<Shared> shared_;
  Plan plan_;
  Buffer arena_, scratch_;
  const kernels::ElementwiseKernels* casts_;
  std::vector<std::shared_ptr<const Packed>> packed_;  // as plan_.fixed
  std::vector<std::byte*> places_;                     // by buffer; inputs and outputs change from run to run
  std::vector<std::int64_t> profile_;
  std::int64_t profiled_runs_ = 0;
  bool profiling_ = false;
};

class DeviceExecutor final : public Executor {
 public:
  explicit DeviceExecutor(const DeviceOptions& options)
      : shared_(std::make_shared<Shared>(options.isa, options.threads > 0 ? options.threads : usable_processors())) {
    shared_->on_packed = options.packed;
    if (!supports(cpu(), options.isa)) {
      fail(ErrorKind::unsupported, "this machine has no {}; the best it has is {}", to_string(options.isa),
           to_string(best_isa()));
    }
  }

  std::string name() const override {
    return fmt::format("device {}, {} thread{}", to_string(shared_->isa), shared_->pool.threads(),
                       shared_->pool.threads() == 1 ? "" : "s");
  }

  std::unique_ptr<graph::Program> compile(const Graph& graph, const Weights& weights,
                                          const CompileOptions& options) override {
    return std::make_unique<Program>(graph, weights, options, shared_);
  }

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<Executor> make_device_executor(const DeviceOptions& options) {
  return std::make_unique<DeviceExecutor>(options);
}

}  // namespace thimble::runtime
