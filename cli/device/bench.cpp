// thimble bench: how long each part of a model takes on this machine.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "api/inspect.h"
#include "api/profile.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/threads.h"
#include "cli/device/bench_model.h"
#include "cli/device/commands.h"
#include "cli/device/run_options.h"
#include "graph/cost.h"

namespace thimble::cli {
namespace {

constexpr int kWarmup = 3, kRuns = 20;

struct BenchArguments {
  RunOptions run;
  api::InspectOptions inspect;
  QuantizeChoice quantize;
  std::string part;
  std::optional<int> warmup, runs;
  std::string stored;
  std::string picture;  // of the profile
  bool profile = false, explain = false, json = false, random_weights = false;
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
void print_profile(std::vector<api::ProfileRow> rows) {
  double all = 0;
  for (const api::ProfileRow& r : rows) all += r.seconds;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const api::ProfileRow& a, const api::ProfileRow& b) { return a.seconds > b.seconds; });
  fmt::print("{:>5} {:<34} {:<22} {:<28} {:>10} {:>7} {:>9} {:>8}\n", "step", "op", "result", "kernel", "us", "share",
             "GFLOP/s", "of peak");
  for (const api::ProfileRow& r : rows) {
    fmt::print("{:>5} {:<34} {:<22} {:<28} {:>10.1f} {:>6.1f}% {:>9.1f} {:>7.0f}%{}\n", r.step, r.op, r.output,
               r.kernel, r.seconds * 1e6, 100 * r.seconds / std::max(all, 1e-12),
               r.seconds > 0 ? r.flops / r.seconds / 1e9 : 0, 100 * r.share_of_peak, r.by_memory ? " m" : "");
  }
  fmt::print(
      "of peak: of the kernel's inner loop in the first cache, or, marked m, of reading memory; both measured now\n"
      "roofline: {} of {}, {:.0f} %\n",
      human_time(api::roofline(rows)), human_time(all), 100 * api::roofline(rows) / std::max(all, 1e-12));
}

// One part's steps as a table and, if asked, as a picture.
void show_profile(const BenchArguments& a, const runtime::DeviceProgram& program, const api::InspectedGraph& g) {
  const runtime::DeviceOptions device = a.run.device();
  runtime::Rates rates(device.isa, device.threads > 0 ? device.threads : usable_processors());
  const auto rows = api::profile(program, g.graph, rates);
  if (!a.json) {
    fmt::print("{}\n", g.name);
    print_profile(rows);
    fmt::print("\n");
  }
  if (a.picture.empty()) return;
  // Several parts: their names go before the ending.
  std::filesystem::path path = a.picture;
  if (a.part.empty()) path.replace_filename(path.stem().string() + "-" + g.name + path.extension().string());
  AtomicFile file(path);
  file.write(api::profile_svg(fmt::format("{} on {}", g.name, program.report().executor), rows));
  file.commit();
}

Result measure(const BenchArguments& a, const api::InspectedGraph& g, const graph::Weights& weights,
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
  for (int i = 0; i < a.warmup.value_or(kWarmup); ++i) program->run(in, out, &interrupt_token());
  if (a.profile && device != nullptr) device->set_profile(true);
  std::vector<double> times;
  for (int i = 0; i < a.runs.value_or(kRuns); ++i) {
    start = Clock::now();
    program->run(in, out, &interrupt_token());
    times.push_back(seconds(Clock::now() - start));
  }
  std::sort(times.begin(), times.end());
  r.least = times.front();
  r.median = times[times.size() / 2];
  r.p90 = times[std::min(times.size() - 1, times.size() * 9 / 10)];
  if (a.explain && !a.json) fmt::print("{}: {}\n", g.name, program->explain());
  if (a.profile && device != nullptr) show_profile(a, *device, g);
  return r;
}

// What random weights are stored as: by default what the products read.
DType stored_type(const BenchArguments& a) {
  if (a.stored.empty()) return a.run.chosen_precision() == graph::Precision::bf16 ? DType::bf16 : DType::f32;
  const auto type = dtype_from_string(a.stored);
  if (!type || (*type != DType::f32 && *type != DType::bf16 && *type != DType::f16)) {
    fail(ErrorKind::bad_input, "--stored is f32, bf16 or f16, '{}' came", a.stored);
  }
  return *type;
}

void bench(const BenchArguments& a) {
  const int runs = a.runs.value_or(kRuns), warmup = a.warmup.value_or(kWarmup);
  if (runs < 1 || runs > 1'000'000 || warmup < 0 || warmup > 1'000'000) {
    fail(ErrorKind::bad_input, "runs must be 1 or more and warm-up runs 0 or more, up to a million");
  }
  if (a.random_weights) {
    return bench_random_model(a.run.model,
                              {.pixels = a.inspect.size,
                               .stored = stored_type(a),
                               .quantize = a.quantize.options(),
                               .part = a.part,
                               .warmup = a.warmup.value_or(0),
                               .runs = a.runs.value_or(1)},
                              a.run, a.json);
  }
  if (!a.picture.empty() && !a.picture.ends_with(".svg")) {
    fail(ErrorKind::bad_input, "--profile draws into a file that ends in .svg, '{}' came", a.picture);
  }
  if (!a.stored.empty()) fail(ErrorKind::bad_input, "--stored is for --random-weights");
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
                            {"runs", a.runs.value_or(kRuns)},
                            {"parts", parts}}
                           .dump(2));
    return;
  }
  fmt::print("{} on {}, {}, {} runs\n", file.name, executor->name(), precision, a.runs.value_or(kRuns));
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
  auto a = std::make_shared<BenchArguments>();
  c->add_option("model", a->run.model,
                "model file, config (.json) or graph text; without weights random ones are drawn");
  c->add_option("--part", a->part, "only this part: text, prompt, step, decoder, encoder; of models: text, vae ...");
  c->add_flag("--random-weights", a->random_weights,
              "a published model by name at its true size: its parts one after another, load, memory and speed");
  c->add_option("--stored", a->stored, "f32, bf16 or f16: what random weights are packed from");
  c->add_option("--runs", a->runs, "measured runs (default: 20, with random weights 1)");
  c->add_option("--warmup", a->warmup, "runs before (default: 3, with random weights none)");
  c->add_option("--batch", a->inspect.batch, "rows of every part (default: as generate runs them for one picture)");
  c->add_option("--tokens", a->inspect.tokens, "text length (default: the model's smallest bucket)");
  c->add_option("--size", a->inspect.size, "pixels per side (default: the model's)");
  auto* profile =
      c->add_option("--profile", a->picture, "time every step of the plan; with a name, draw it too, as out.svg")
          ->expected(0, 1)
          ->type_name("[SVG]");
  c->add_flag("--explain", a->explain, "the plan step by step: kernel, why not a better one, place in memory");
  add_run_options(*c, a->run);
  add_quantize_options(*c, a->quantize);
  c->add_flag("--json", a->json, "print as JSON");
  c->footer(
      "Examples:\n"
      "  thimble bench\n"
      "  thimble bench --part step --threads 1 --precision f32 --profile\n"
      "  thimble bench --part step --profile step.svg --explain\n"
      "  thimble bench sd1.5 --random-weights --size 512\n"
      "  thimble bench flux.1-schnell --random-weights --size 512 --bits 4 --group 64\n"
      "  thimble bench config.json --isa avx2 --runs 100 --json");
  c->callback([a, profile] {
    a->profile = profile->count() > 0;
    a->inspect.quantize = a->quantize.options();
    bench(*a);
  });
}

}  // namespace thimble::cli
