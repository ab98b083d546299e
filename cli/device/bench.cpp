// thimble bench: how long each part of a model takes on this machine.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "api/inspect.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/rng.h"
#include "cli/device/commands.h"
#include "cli/device/run_options.h"
#include "graph/cost.h"

namespace thimble::cli {
namespace {

struct Arguments {
  RunOptions run;
  api::InspectOptions inspect;
  std::string part;
  int warmup = 3, runs = 20;
  bool profile = false, json = false;
};

struct Result {
  std::string part;
  double compile = 0, median = 0, p90 = 0, least = 0;  // seconds
  double flops = 0;
  graph::MemoryReport memory;
  double gflops() const { return flops / median / 1e9; }
};

// Normal values for floats; token ids that every vocabulary has.
std::vector<graph::Tensor> random_inputs(const graph::Graph& g) {
  std::vector<graph::Tensor> inputs;
  for (const graph::ValueId id : g.inputs) {
    inputs.emplace_back(g.type(id));
    if (g.type(id).dtype == DType::f32) fill_normal(inputs.back().mutable_as<float>(), 1, inputs.size());
  }
  return inputs;
}

// Where the time goes, the longest steps first.
void print_profile(const runtime::DeviceProgram& program) {
  const auto& steps = program.report().steps;
  const auto ns = program.profile_ns();
  const double runs = static_cast<double>(std::max<std::int64_t>(1, program.profiled_runs()));
  double all = 0;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    order.push_back(i);
    all += static_cast<double>(ns[i]);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ns[a] > ns[b]; });
  fmt::print("{:>5} {:<34} {:<22} {:<28} {:>10} {:>7} {:>9}\n", "step", "op", "result", "kernel", "us", "share",
             "GFLOP/s");
  for (const std::size_t i : order) {
    const double each = static_cast<double>(ns[i]) / runs;
    fmt::print("{:>5} {:<34} {:<22} {:<28} {:>10.1f} {:>6.1f}% {:>9.1f}\n", i, steps[i].op, steps[i].output,
               steps[i].kernel, each / 1e3, 100 * static_cast<double>(ns[i]) / std::max(all, 1.0),
               each > 0 ? steps[i].flops / each : 0);
  }
}

Result measure(const Arguments& a, const api::InspectedGraph& g, const graph::Weights& weights,
               graph::Executor& executor) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  Result r{.part = g.name, .flops = graph::cost(g.graph).flops, .memory = {}};
  auto start = Clock::now();
  const auto program = executor.compile(g.graph, weights, {.precision = a.run.chosen_precision()});
  r.compile = seconds(Clock::now() - start);
  r.memory = program->memory();

  const auto inputs = random_inputs(g.graph);
  std::vector<graph::Tensor> outputs;
  std::vector<graph::TensorView> in;
  std::vector<graph::MutableTensorView> out;
  for (const graph::Tensor& t : inputs) in.push_back(t.view());
  for (const graph::TensorType& t : program->output_types()) outputs.emplace_back(t);
  for (graph::Tensor& t : outputs) out.push_back(t.mutable_view());

  auto* device = dynamic_cast<runtime::DeviceProgram*>(program.get());
  for (int i = 0; i < a.warmup; ++i) program->run(in, out, &interrupt_token());
  if (a.profile && device != nullptr) device->set_profile(true);
  std::vector<double> times;
  for (int i = 0; i < a.runs; ++i) {
    start = Clock::now();
    program->run(in, out, &interrupt_token());
    times.push_back(seconds(Clock::now() - start));
  }
  std::sort(times.begin(), times.end());
  r.least = times.front();
  r.median = times[times.size() / 2];
  r.p90 = times[std::min(times.size() - 1, times.size() * 9 / 10)];
  if (a.profile && device != nullptr && !a.json) {
    fmt::print("{}\n", g.name);
    print_profile(*device);
    fmt::print("\n");
  }
  return r;
}

void bench(const Arguments& a) {
  if (a.runs < 1 || a.runs > 1'000'000 || a.warmup < 0 || a.warmup > 1'000'000) {
    fail(ErrorKind::bad_input, "runs must be 1 or more and warm-up runs 0 or more, up to a million");
  }
  api::Inspected file = api::inspect(api::find_model(a.run.model), a.inspect);
  if (!file.has_weights) api::draw_weights(file);
  const auto executor = runtime::make_device_executor(a.run.device());
  std::vector<Result> results;
  for (const auto* g : file.select(a.part)) results.push_back(measure(a, *g, file.weights[g->weights], *executor));

  const auto precision = graph::to_string(a.run.chosen_precision());
  if (a.json) {
    Json parts = Json::array();
    for (const Result& r : results) {
      parts.push_back({{"part", r.part},
                       {"compile_seconds", r.compile},
                       {"median_seconds", r.median},
                       {"p90_seconds", r.p90},
                       {"least_seconds", r.least},
                       {"flops", r.flops},
                       {"gflop_per_second", r.gflops()},
                       {"peak_bytes", r.memory.peak_bytes()}});
    }
    fmt::print("{}\n", Json{{"name", file.name},
                            {"executor", executor->name()},
                            {"precision", precision},
                            {"runs", a.runs},
                            {"parts", parts}}
                           .dump(2));
    return;
  }
  fmt::print("{} on {}, {}, {} runs\n", file.name, executor->name(), precision, a.runs);
  fmt::print("{:<9} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>10}\n", "part", "compile", "median", "p90", "least",
             "GFLOP", "GFLOP/s", "peak");
  for (const Result& r : results) {
    fmt::print("{:<9} {:>7.2f} ms {:>7.3f} ms {:>7.3f} ms {:>7.3f} ms {:>9.4f} {:>9.1f} {:>10}\n", r.part,
               r.compile * 1e3, r.median * 1e3, r.p90 * 1e3, r.least * 1e3, r.flops / 1e9, r.gflops(),
               human_bytes(static_cast<double>(r.memory.peak_bytes())));
  }
}

}  // namespace

void add_bench_command(CLI::App& app) {
  auto* c = app.add_subcommand("bench", "time each part of a model on this machine");
  auto a = std::make_shared<Arguments>();
  c->add_option("model", a->run.model,
                "model file, config (.json) or graph text; without weights random ones are drawn");
  c->add_option("--part", a->part, "only this part: text, prompt, step, decoder, encoder");
  c->add_option("--runs", a->runs, "measured runs")->capture_default_str();
  c->add_option("--warmup", a->warmup, "runs before")->capture_default_str();
  c->add_option("--batch", a->inspect.batch, "rows of every part (default: as generate runs them for one picture)");
  c->add_option("--tokens", a->inspect.tokens, "text length (default: the model's smallest bucket)");
  c->add_option("--size", a->inspect.size, "pixels per side (default: the model's)");
  c->add_flag("--profile", a->profile, "time every step of the plan");
  add_run_options(*c, a->run);
  c->add_flag("--json", a->json, "print as JSON");
  c->footer(
      "Examples:\n"
      "  thimble bench\n"
      "  thimble bench --part step --threads 1 --precision f32 --profile\n"
      "  thimble bench config.json --isa avx2 --runs 100 --json");
  c->callback([a] { bench(*a); });
}

}  // namespace thimble::cli
