// Benchmarks on this machine: every backend's result is checked first, its memory is measured in a process of its own,
// and the runs of all go in turns.
#include "gauge/bench/bench.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/error.h"
#include "base/memory.h"

namespace thimble::gauge {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Entry {
  BenchResult result;
  Backend* backend = nullptr;
  std::unique_ptr<Session> session;
  Timing timing;
  double first_ms = 0;
  double joules = 0;
  bool runs() const { return session != nullptr; }
};

// Resident bytes that loading the model and running it twice add, in a process of its own, so that nothing that was
// freed before is used again. 0 when the child did not end well.
std::size_t memory_of(Backend& backend, const BenchModel& model, int threads) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    std::size_t grown = 0;
    try {
      reset_peak_resident();
      const std::size_t before = resident_bytes();
      const auto session = backend.open(model, threads);
      session->run();
      session->run();
      const std::size_t peak = peak_resident_bytes();
      grown = peak > before ? peak - before : 0;
    } catch (const std::exception&) {
    }
    const ssize_t n = write(ends[1], &grown, sizeof grown);
    _exit(n == sizeof grown ? 0 : 1);
  }
  close(ends[1]);
  std::size_t grown = 0;
  if (child < 0 || read(ends[0], &grown, sizeof grown) != sizeof grown) grown = 0;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return grown;
}

void open_entry(Entry& e, const BenchModel& model) {
  e.result.refused = e.backend->refuses(model);
  if (!e.result.refused.empty()) return;
  try {
    const auto start = Clock::now();
    e.session = e.backend->open(model, e.result.threads);
    e.session->run();
    e.result.open_ms = since(start) * 1e3;
    const auto again = Clock::now();
    e.session->run();
    e.first_ms = since(again) * 1e3;
    e.result.planned_bytes = e.session->planned_bytes();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    e.session.reset();
    e.result.refused = error.what();
  }
}

// Every backend against the first foreign one that ran (it is against Thimble's): a wrong result is no benchmark.
void compare(std::vector<Entry>& entries, double tolerance) {
  const auto ours =
      std::ranges::find_if(entries, [](const Entry& e) { return e.runs() && e.result.backend == "thimble"; });
  const auto other =
      std::ranges::find_if(entries, [](const Entry& e) { return e.runs() && e.result.backend != "thimble"; });
  if (ours == entries.end() || other == entries.end()) {
    for (Entry& e : entries) {
      e.result.compared_with = e.runs() ? "" : e.result.compared_with;
    }
    return;
  }
  const auto own = ours->session->outputs(), theirs = other->session->outputs();
  for (Entry& e : entries) {
    if (!e.runs()) continue;
    const bool is_ours = e.result.backend == "thimble";
    e.result.compared_with = is_ours ? other->result.backend : "thimble";
    const Difference d =
        difference(is_ours ? e.session->outputs() : own, is_ours ? theirs : e.session->outputs(), tolerance);
    e.result.difference = d;
    if (const std::string why = wrong(d, tolerance, e.result.compared_with); !why.empty()) {
      e.result.refused = why;
    }
  }
  for (Entry& e : entries) {
    if (!e.result.refused.empty()) e.session.reset();
  }
}

// In turns until each has made its runs or used its seconds.
void measure(std::vector<Entry>& entries, const BenchOptions& o, EnergySource* energy, const ProgressFn& progress,
             const CancelToken* cancel) {
  for (Entry& e : entries) {
    for (int i = 0; e.runs() && i < o.how.warmup; ++i) {
      if (cancel != nullptr) cancel->throw_if_cancelled();
      e.session->run();
    }
  }
  std::int64_t total = 0;
  for (const Entry& e : entries) total += e.runs() ? o.how.runs : 0;
  const auto left = [&](const Entry& e) { return e.runs() && !o.how.enough(e.timing.ms.size(), e.timing.seconds); };
  // The threads of the runtime before may still spin for work, some for tens of milliseconds: then the next one waits
  // first, and has a longer turn for it.
  const bool many_threads = std::ranges::any_of(entries, [](const Entry& e) { return e.result.threads > 1; });
  const double turn_seconds = many_threads ? 0.1 : 0.02;
  const auto pause = std::chrono::milliseconds(many_threads ? 60 : 2);
  for (bool more = true; more;) {
    more = false;
    std::int64_t done = 0;
    for (Entry& e : entries) {
      if (cancel != nullptr) cancel->throw_if_cancelled();
      if (left(e)) {
        more = true;
        const int wanted = o.how.runs - static_cast<int>(e.timing.ms.size());
        const int count = std::clamp(static_cast<int>(turn_seconds * 1e3 / std::max(e.first_ms, 1e-3)), 1, wanted);
        std::this_thread::sleep_for(pause);
        if (energy == nullptr) {
          burst(e.timing, count, o.how.pause_ms, [&] { e.session->run(); });
        } else {
          EnergyMeter meter(*energy);
          burst(e.timing, count, o.how.pause_ms, [&] { e.session->run(); });
          e.joules += meter.joules();
        }
      }
      done += e.runs() && !left(e) ? o.how.runs : static_cast<std::int64_t>(e.timing.ms.size());
    }
    if (progress) progress(done, total, {});
  }
}

}  // namespace

std::string wrong(const Difference& d, double tolerance, const std::string& other) {
  if (d.apart_share <= 1e-3 && d.relative <= 10 * tolerance) return {};
  return fmt::format(
      "{} is {:.2g} of its largest value away from what {} gives, and {:.2g} % of its numbers by more than {:.2g}",
      d.output, d.relative, other, 100 * d.apart_share, tolerance);
}

BenchResult described(const BenchModel& model, const BenchOptions& options, const std::string& backend, int threads) {
  BenchResult r;
  r.model = model.path.string();
  r.model_sha256 = model.sha256;
  r.device = options.device;
  r.backend = backend;
  r.threads = threads;
  for (const BenchPort& p : model.inputs) {
    if (!p.shape.empty()) r.batch = std::max(r.batch, p.shape.size() > 1 ? p.shape[0] : 1);
  }
  r.flops = model.flops;
  return r;
}

std::vector<BenchResult> bench(const std::filesystem::path& path, const BenchOptions& options,
                               const ProgressFn& progress, const CancelToken* cancel) {
  const BenchModel model = open_bench_model(path, options.import);
  if (options.device != "local") return bench_on_device(model, options, progress, cancel);
  if (!options.affinity.empty()) set_affinity(options.affinity);

  std::vector<std::unique_ptr<Backend>> backends;
  std::vector<std::size_t> memory;
  for (const std::string& name : options.backends) {
    const auto library = options.libraries.find(name);
    backends.push_back(make_backend(name, library == options.libraries.end() ? "" : library->second));
    memory.push_back(backends.back()->refuses(model).empty() ? memory_of(*backends.back(), model, options.threads[0])
                                                             : 0);
  }
  std::vector<Entry> entries;
  for (std::size_t b = 0; b < backends.size(); ++b) {
    for (const int threads : options.threads) {
      Entry e;
      e.backend = backends[b].get();
      e.result = described(model, options, e.backend->name(), threads);
      e.result.version = e.backend->version();
      open_entry(e, model);
      if (e.runs()) e.result.peak_bytes = memory[b];
      entries.push_back(std::move(e));
      if (cancel != nullptr) cancel->throw_if_cancelled();
    }
  }
  compare(entries, options.tolerance);

  EnergyChoice energy;
  std::optional<MonsoonRecording> recording;
  const auto began = Clock::now();
  if (options.monsoon.empty()) {
    energy = open_energy(options.root);
  } else {
    energy.reason = "a recording is read by thimble when the benchmark of one backend has ended";
  }
  double idle_joules = 0;
  if (energy.source && options.idle_seconds > 0) {
    EnergyMeter meter(*energy.source);
    std::this_thread::sleep_for(std::chrono::duration<double>(options.idle_seconds));
    idle_joules = meter.joules();
  }
  const std::int64_t switches = involuntary_switches();
  const double measuring_from = since(began);
  measure(entries, options, energy.source.get(), progress, cancel);
  const double measuring_to = since(began);
  RunContext context = run_context(options.root);
  context.preempted = involuntary_switches() - switches;
  if (!options.monsoon.empty()) recording = MonsoonRecording::open(options.monsoon);

  std::vector<BenchResult> results;
  for (Entry& e : entries) {
    BenchResult& r = e.result;
    r.context = context;
    if (e.runs()) {
      r.latency = distribution(e.timing.ms);
      const Distribution cpu = distribution(e.timing.cpu_ms);
      r.cpu_ms = cpu.median;
      r.cpu_least_ms = cpu.min;
      if (energy.source) {
        r.energy = energy_per_run(energy.source->name(), e.joules, e.timing.seconds, idle_joules, options.idle_seconds,
                                  e.timing.ms.size());
      } else if (recording && entries.size() == 1) {
        const double from = recording->begin() + measuring_from, to = recording->begin() + measuring_to;
        r.energy = energy_per_run("monsoon recording", recording->joules(from, to), to - from,
                                  recording->joules(recording->begin(), from), measuring_from, e.timing.ms.size());
      } else {
        r.energy.reason = recording ? "a recording serves one backend and one number of threads" : energy.reason;
      }
    }
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace thimble::gauge
