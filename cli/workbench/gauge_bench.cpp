// thimble gauge bench. Reads options, calls the library, prints a table or JSON, keeps one JSON file a result.
#include "cli/workbench/gauge_bench.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "gauge/bench/bench.h"

namespace thimble::cli {
namespace {

struct Command {
  std::vector<std::string> models, shapes, values, libraries;
  std::string out;
  double window = 1;
  std::optional<std::int64_t> batch;
  bool json = false, profile = false;
  gauge::BenchOptions options;
};

// "NAME=REST"; bad_input with what was wanted.
std::pair<std::string, std::string> named(const std::string& text, char separator, const char* wanted) {
  const auto at = text.rfind(separator);
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    fail(ErrorKind::bad_input, "{}, '{}' came", wanted, text);
  }
  return {text.substr(0, at), text.substr(at + 1)};
}

void read_imports(Command& c) {
  for (const std::string& text : c.shapes) {
    const auto [name, sizes] = named(text, ':', "--shape takes NAME:1x3x640x640");
    graph::Shape shape;
    std::istringstream in(sizes);
    for (std::string part; std::getline(in, part, 'x');) {
      std::int64_t size = 0;
      if (!CLI::detail::lexical_cast(part, size) || size < 1) {
        fail(ErrorKind::bad_input, "--shape takes NAME:1x3x640x640, '{}' came", text);
      }
      shape.push_back(size);
    }
    c.options.import.shapes[name] = shape;
  }
  for (const std::string& text : c.values) {
    const auto [name, number] = named(text, '=', "--value takes NAME=NUMBER");
    double value = 0;
    if (!CLI::detail::lexical_cast(number, value))
      fail(ErrorKind::bad_input, "--value takes NAME=NUMBER, '{}' came", text);
    c.options.import.values[name] = value;
  }
  for (const std::string& text : c.libraries) {
    c.options.libraries.insert(named(text, '=', "--library takes BACKEND=PATH"));
  }
  c.options.import.batch = c.batch;
}

// Of one model and all its results, under a name that says which; earlier files of that name are replaced.
void keep(const std::string& folder, const gauge::BenchResult& r, double window) {
  std::string device = r.device;
  std::ranges::replace_if(
      device, [](char ch) { return ch == ':' || ch == '/'; }, '-');
  const auto path = std::filesystem::path(folder) /
                    fmt::format("{}-{}-{}-{}.json", r.model_sha256.substr(0, 16), device, r.backend, r.threads);
  AtomicFile file(path);
  file.write(gauge::to_json(r, window).dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  file.commit();
}

void print_title() {
  fmt::print("{:<44}{:<12}{:>8}{:>11}{:>10}{:>10}{:>10}{:>8}{:>11}{:>11}  {}\n", "model", "backend", "threads",
             "median ms", "p90", "p99", "min", "cv", "peak", "error", "energy or remark");
}

void print_row(const gauge::BenchResult& r) {
  const std::string name = std::filesystem::path(r.model).filename().string();
  if (!r.refused.empty()) {
    fmt::print("{:<44}{:<12}{:>8}  {}\n", name, r.backend, r.threads, r.refused);
    return;
  }
  const std::string error = r.difference ? fmt::format("{:.1e}", r.difference->relative) : "-";
  if (r.instructions) {
    fmt::print("{:<44}{:<12}{:>8}  {} instructions an inference, error {}; {}\n", name, r.backend, r.threads,
               static_cast<std::int64_t>(*r.instructions), error, r.no_latency);
    return;
  }
  const gauge::Distribution& d = *r.latency;
  fmt::print("{:<44}{:<12}{:>8}{:>11.3f}{:>10.3f}{:>10.3f}{:>10.3f}{:>8.2f}{:>11}{:>11}  {}\n", name, r.backend,
             r.threads, d.median, d.p90, d.p99, d.min, d.cv, human_bytes(static_cast<double>(r.peak_bytes)), error,
             r.energy.known() ? fmt::format("{:.4g} J by {}", r.energy.joules, r.energy.source)
                              : "energy unavailable: " + r.energy.reason);
}

void print_profile(const Command& c, const std::string& path) {
  const auto model = gauge::open_bench_model(path, c.options.import);
  const auto steps = gauge::profile(model, c.options.threads[0], c.options.how, &interrupt_token());
  fmt::print("{}\n{:>9}{:>8}{:>10}  {:<36}{:<26}{}\n", path, "ms", "share", "GFLOP/s", "step", "result", "kernel");
  for (const gauge::ProfiledStep& s : steps) {
    fmt::print("{:>9.3f}{:>7.1f}%{:>10.1f}  {:<36}{:<26}{}\n", s.ms, 100 * s.share,
               s.ms > 0 ? s.step.flops / s.ms / 1e6 : 0, s.step.op, s.step.output, s.step.kernel);
  }
}

void run(Command& c) {
  read_imports(c);
  gauge::BenchOptions& o = c.options;
  if (c.profile) {
    for (const std::string& model : c.models) print_profile(c, model);
    return;
  }
  if (o.backends.empty()) {  // what there is
    o.backends = {"thimble"};
    for (const char* name : gauge::kBackendNames) {
      const bool given = o.libraries.contains(name) || !gauge::library_of(name).empty();
      if (o.device == "local" && given) o.backends.emplace_back(name);
    }
  }
  if (!c.out.empty()) std::filesystem::create_directories(c.out);
  OrderedJson all = OrderedJson::array();
  if (!c.json) print_title();
  for (const std::string& model : c.models) {
    std::vector<gauge::BenchResult> results;
    {
      ProgressBar bar("bench");
      bar.update(0, 0, model);
      results = gauge::bench(model, o, bar.fn(), &interrupt_token());
    }
    for (const gauge::BenchResult& r : results) {
      if (!c.out.empty()) keep(c.out, r, c.window);
      if (c.json) {
        all.push_back(gauge::to_json(r, c.window));
      } else {
        print_row(r);
      }
    }
    std::fflush(stdout);
  }
  if (c.json) fmt::print("{}\n", all.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

}  // namespace

void add_gauge_bench(CLI::App& gauge) {
  CLI::App* app =
      gauge.add_subcommand("bench", "how long models take, what memory and energy they need, here or on a device");
  auto c = std::make_shared<Command>();
  c->options.backends.clear();
  app->add_option("models", c->models, "model files")->required();
  app->add_option("--device", c->options.device, "local, adb:SERIAL, ssh:HOST or emulator:aarch64")
      ->capture_default_str();
  app->add_option("--backend", c->options.backends,
                  "thimble, tflite, onnxruntime, ncnn; default: thimble and all whose library is named")
      ->delimiter(',');
  app->add_option("--library", c->libraries,
                  "BACKEND=PATH of its shared library; else THIMBLE_TFLITE, THIMBLE_ONNXRUNTIME, THIMBLE_NCNN");
  app->add_option("--threads", c->options.threads, "one number or several, measured in turns")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app->add_option("--affinity", c->options.affinity, "processors to run on, such as 0,2-3");
  app->add_option("--batch", c->batch, "first axis, where the model leaves it open")->check(CLI::PositiveNumber);
  app->add_option("--shape", c->shapes, "an input's sizes where the file leaves them open: NAME:1x3x640x640");
  app->add_option("--value", c->values, "an input that is always one number: NAME=16000");
  app->add_option("--warmup", c->options.how.warmup, "runs before")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app->add_option("--runs", c->options.how.runs, "measured runs")->check(CLI::Range(1, 1000000))->capture_default_str();
  app->add_option("--seconds", c->options.how.seconds, "fewer runs when they take longer than this; five at least")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--pause", c->options.how.pause_ms, "milliseconds between runs")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--idle", c->options.idle_seconds, "seconds of idling whose power is taken off")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--tolerance", c->options.tolerance, "between backends, relative to an output's largest value")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--window", c->window, "seconds of audio that one inference hears, for the scenario")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--monsoon", c->options.monsoon, "CSV recording of a power monitor, begun with the benchmark")
      ->check(CLI::ExistingFile);
  app->add_option("--agent", c->options.agent, "thimble-gauge-agent built for the device; else THIMBLE_GAUGE_AGENT");
  app->add_option("--plugin", c->options.plugin, "plugin of the emulator that counts; else THIMBLE_GAUGE_PLUGIN");
  app->add_option("--out", c->out, "folder that keeps a JSON file for each result, for 'gauge report'");
  app->add_flag("--profile", c->profile, "where Thimble's runtime spends the time, step by step, and nothing else");
  app->add_flag("--json", c->json, "print as JSON");
  app->footer(
      "Examples:\n"
      "  thimble gauge bench pose_landmark_lite.tflite --threads 1,2 --library tflite=libtensorflowlite_c.so\n"
      "  thimble gauge bench model.onnx --device adb:0123456789 --agent build/aarch64/gauge/agent/thimble-gauge-agent");
  app->callback([c] { run(*c); });
}

}  // namespace thimble::cli
