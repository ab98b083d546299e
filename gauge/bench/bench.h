// `thimble gauge bench`: how long a model takes, what memory and energy it needs, on this machine by several runtimes
// or on a device by Thimble's, and whether the results are right. What is measured together runs in turns, so that a
// machine that is busy for a while is so for all.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "gauge/agent/energy.h"
#include "gauge/agent/measure.h"
#include "gauge/bench/backend.h"
#include "runtime/device.h"

namespace thimble::gauge {

struct BenchOptions {
  std::string device = "local";  // local, adb:SERIAL, ssh:HOST, emulator:aarch64
  std::vector<std::string> backends{"thimble"};
  std::map<std::string, std::string> libraries;  // by backend
  std::vector<int> threads{1};
  std::string affinity;  // list of processors; empty: as it is
  ImportOptions import;
  Repetition how;
  double tolerance = 5e-3;  // of the largest value of an output
  double idle_seconds = 2;  // of the power that is taken off
  std::string agent;        // program for the device, built for it
  std::string plugin;       // of the emulator, that counts instructions
  std::string monsoon;      // a recording to take energy from, begun together with the benchmark
  std::string root = "/";   // where energy sources are looked for
};

// One backend with one number of threads.
struct BenchResult {
  std::string model, model_sha256, device, backend, version;
  int threads = 1;
  std::int64_t batch = 1;
  std::string refused;  // why nothing was measured; the rest is empty then
  std::optional<Distribution> latency;
  std::string no_latency;               // why not
  double cpu_ms = 0, cpu_least_ms = 0;  // median and least, of all threads: what other programs take stays out
  double open_ms = 0;                   // loading, compiling, first run
  std::optional<double> instructions;   // an inference, on an emulator
  std::size_t peak_bytes = 0, planned_bytes = 0;
  EnergyPerRun energy;
  double flops = 0, macs = 0;
  std::string compared_with;  // backend, or why with none
  std::optional<Difference> difference;
  RunContext context;
};

// Empty when `difference` is within bounds: at most one number in a thousand of an output is further than `tolerance`
// apart, and none ten times that.
std::string wrong(const Difference& d, double tolerance, const std::string& other);

// Throws for what is wrong with the options or the file; what one backend refuses stands in its result.
std::vector<BenchResult> bench(const std::filesystem::path& model, const BenchOptions& options,
                               const ProgressFn& progress, const CancelToken* cancel);
// On a device or emulator: one result a number of threads.
std::vector<BenchResult> bench_on_device(const BenchModel& model, const BenchOptions& options,
                                         const ProgressFn& progress, const CancelToken* cancel);

// A result without latency but with what is the same for all backends.
BenchResult described(const BenchModel& model, const BenchOptions& options, const std::string& backend, int threads);

// Where Thimble's runtime spends the time of an inference, longest steps first. `unsupported` when it is not imported.
struct ProfiledStep {
  runtime::StepReport step;
  double ms = 0, share = 0;
};
std::vector<ProfiledStep> profile(const BenchModel& model, int threads, const Repetition& how,
                                  const CancelToken* cancel);

// What one inference costs over an hour or a day of use.
struct Scenario {
  std::string name, of;  // "video call, an hour", "15 pictures a second"
  double inferences = 0;
};
std::vector<Scenario> scenarios(double window_seconds);  // of audio that one inference hears
OrderedJson scenarios_json(const BenchResult& r, double window_seconds);

OrderedJson to_json(const BenchResult& r, double window_seconds);  // the schema of docs/gauge.md

}  // namespace thimble::gauge
