// Times the project's own networks on the device executor: milliseconds a run, GFLOP/s, share of this machine's peak.
//   model_bench [--threads N] [--steps]     --steps also prints the time by kind of step
// One thread is timed by its processor time, several by the clock: on a busy machine ask for --threads 1.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>

#include "base/threads.h"
#include "bench/peaks.h"
#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "runtime/device.h"

namespace {

using namespace thimble;
using graph::Precision;

// Best of many repetitions: a neighbour disturbs some of them.
template <class F>
double best_seconds(const ThreadPool& pool, F&& f) {
  double best = 1e9;
  const double start = bench::now(pool);
  for (int i = 0; i < 300 && (i < 5 || bench::now(pool) - start < 1.0); ++i) {
    const double one = bench::now(pool);
    f();
    best = std::min(best, bench::now(pool) - one);
  }
  return best;
}

// Of every step the fastest of some runs, summed by op, result and kernel.
void print_steps(runtime::DeviceProgram& program, const std::function<void()>& run) {
  const auto& steps = program.report().steps;
  std::vector<std::int64_t> best(steps.size(), INT64_MAX);
  for (int i = 0; i < 60; ++i) {
    program.set_profile(true);
    run();
    for (std::size_t s = 0; s < steps.size(); ++s) best[s] = std::min(best[s], program.profile_ns()[s]);
  }
  struct Kind {
    int count = 0;
    std::int64_t ns = 0;
    double flops = 0;
  };
  std::map<std::string, Kind> kinds;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    Kind& k = kinds[fmt::format("{}  {}  {}", steps[s].op, steps[s].output, steps[s].kernel)];
    ++k.count;
    k.ns += best[s];
    k.flops += steps[s].flops;
  }
  for (const auto& [name, k] : kinds) {
    fmt::print("    {:>3} x {:<72} {:>9.1f} us {:>7.1f} GFLOP/s\n", k.count, name, static_cast<double>(k.ns) / 1e3,
               k.flops / static_cast<double>(k.ns));
  }
}

void time_network(const graph::Graph& g, Precision precision, const ThreadPool& pool, double peak, bool steps) {
  const auto executor = runtime::make_device_executor({.threads = pool.threads()});
  const auto compiled = executor->compile(g, graph::initialise(g, 1), {precision});
  auto& program = dynamic_cast<runtime::DeviceProgram&>(*compiled);
  std::vector<graph::Tensor> inputs, results;
  std::vector<graph::TensorView> in;
  std::vector<graph::MutableTensorView> out;
  for (graph::ValueId v : g.inputs) inputs.emplace_back(g.type(v));
  for (const auto& t : program.output_types()) results.emplace_back(t);
  for (const auto& t : inputs) in.push_back(t.view());
  for (auto& t : results) out.push_back(t.mutable_view());
  const auto run = [&] { program.run(in, out); };
  const double gflop = program.report().flops / 1e9, s = best_seconds(pool, run);
  const auto megabytes = [](std::size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  const graph::MemoryReport m = program.memory();
  fmt::print(
      "{:<8} {:<5} {:>8.3f} ms {:>6.2f} GFLOP {:>7.1f} GFLOP/s {:>3.0f} % of peak, {} steps, {:.1f} MB of weights, "
      "{:.1f} + {:.1f} MB beside\n",
      g.name, to_string(precision), 1e3 * s, gflop, gflop / s, 100 * gflop / s / peak, program.report().steps.size(),
      megabytes(m.weight_bytes), megabytes(m.activation_bytes), megabytes(m.scratch_bytes));
  if (steps) print_steps(program, run);
}

}  // namespace

int main(int argc, char** argv) {
  int threads = usable_processors();
  bool steps = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--steps") == 0) {
      steps = true;
    } else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      threads = std::clamp(std::atoi(argv[++i]), 1, 256);
    } else {
      fmt::print(stderr, "usage: model_bench [--threads N] [--steps]\n");
      return 2;
    }
  }
  ThreadPool pool(threads);
  const bench::Peaks peaks = bench::measure_peaks(pool);
  fmt::print("{} threads, peaks in GFLOP/s: f32 {:.0f}, bf16 dot product {:.0f}, bf16 tiles {:.0f}\n", threads,
             peaks.fma_f32, peaks.dot_bf16, peaks.amx_bf16);
  for (Precision precision : {Precision::f32, Precision::bf16}) {
    const double peak =
        precision == Precision::f32 ? peaks.fma_f32 : std::max({peaks.fma_f32, peaks.dot_bf16, peaks.amx_bf16});
    time_network(models::build_dit({}, 2, 16), precision, pool, peak, steps);
    time_network(models::build_decoder({}, 1, 256), precision, pool, peak, steps);
    time_network(models::build_text_encoder({}, 2, 16), precision, pool, peak, steps);
  }
}
