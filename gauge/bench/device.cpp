// Benchmarks elsewhere: the model is imported here and goes to the device as a file of Thimble with the agent that runs
// it; results come back and are compared with those of this machine. An emulator counts instructions and tells no time.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "gauge/agent/packed_model.h"
#include "gauge/bench/bench.h"
#include "gauge/bench/transport.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

// A folder of this run's files, removed at the end.
class Workplace {
 public:
  Workplace() {
    std::string name = (fs::temp_directory_path() / "thimble-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail(ErrorKind::io, "no folder for temporary files at {}", name);
    folder_ = name;
  }
  ~Workplace() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path operator/(const char* name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

std::string found(const std::string& given, const char* variable, const char* what, const char* how) {
  const char* set = std::getenv(variable);
  const std::string path = !given.empty() ? given : set != nullptr ? set : "";
  if (path.empty())
    fail(ErrorKind::bad_input, "{} is needed for this device: name it by {} or {}", what, how, variable);
  if (!fs::exists(path)) fail(ErrorKind::bad_input, "{}: no such file", path);
  return path;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<std::string> agent_options(const BenchOptions& o, int threads, int runs) {
  std::vector<std::string> out{
      "--threads", fmt::format("{}", threads),        "--warmup",  fmt::format("{}", o.how.warmup),
      "--runs",    fmt::format("{}", runs),           "--seconds", fmt::format("{}", o.how.seconds),
      "--pause",   fmt::format("{}", o.how.pause_ms), "--idle",    fmt::format("{}", o.idle_seconds)};
  if (!o.affinity.empty()) {
    out.push_back("--affinity");
    out.push_back(o.affinity);
  }
  return out;
}

std::vector<double> numbers(const Json& array) {
  std::vector<double> out;
  for (const Json& v : array) {
    if (!v.is_number()) fail(ErrorKind::bad_file, "the agent's answer holds no number where one belongs");
    out.push_back(v.get<double>());
  }
  return out;
}

// Of a hostile or old agent too, so every field is checked.
void read_answer(const std::string& text, BenchResult& r) {
  const Json j = parse_json(text, "the agent's answer");
  r.latency = distribution(numbers(get_array(j, "ms", "the agent's answer")));
  const Distribution cpu = distribution(numbers(get_array(j, "cpu_ms", "the agent's answer")));
  r.cpu_ms = cpu.median;
  r.cpu_least_ms = cpu.min;
  r.version = get_string(j, "executor", "the agent's answer");
  r.planned_bytes = static_cast<std::size_t>(get_int(j, "planned_bytes", "the agent's answer"));
  r.peak_bytes = static_cast<std::size_t>(get_int(j, "peak_resident_bytes", "the agent's answer"));
  const Json& energy = get_object(j, "energy", "the agent's answer");
  if (energy.value("source", Json()).is_string()) {
    r.energy.source = get_string(energy, "source", "energy");
    r.energy.joules = get_double(energy, "joules_per_inference", "energy");
    r.energy.with_idle = get_double(energy, "joules_per_inference_with_idle", "energy");
    r.energy.idle_watts = get_double(energy, "idle_watts", "energy");
  } else {
    r.energy.reason = get_string(energy, "reason", "energy");
  }
  const Json& context = get_object(j, "context", "the agent's answer");
  r.context.processor = get_string(context, "processor", "context");
  r.context.processors = static_cast<int>(get_int(context, "processors", "context"));
  r.context.kernel = get_string(context, "kernel", "context");
  r.context.affinity = get_string(context, "affinity", "context");
  r.context.preempted = get_int(context, "preempted", "context");
  const auto text_or_none = [&](const char* key) {
    const Json v = context.value(key, Json());
    return v.is_string() ? v.get<std::string>() : "";
  };
  const auto number_or_none = [&](const char* key) {
    const Json v = context.value(key, Json());
    return v.is_number() ? v.get<double>() : -1;
  };
  r.context.governor = text_or_none("governor");
  r.context.megahertz = number_or_none("megahertz");
  r.context.celsius = number_or_none("celsius");
  r.context.load = number_or_none("load");
}

void judge(BenchResult& r, const std::vector<graph::Tensor>& theirs, const std::vector<graph::Tensor>& ours,
           double tolerance) {
  r.difference = difference(theirs, ours, tolerance);
  r.compared_with = "thimble here";
  r.refused = wrong(*r.difference, tolerance, r.compared_with);
  if (!r.refused.empty()) {
    r.latency.reset();
    r.instructions.reset();
  }
}

void say(BenchResult& r, const Finished& f) {
  const std::string said = first_line(f.err.empty() ? f.out : f.err);
  r.refused = fmt::format("the agent failed{}", said.empty() ? fmt::format(" with status {}", f.status) : ": " + said);
}

double counted(const fs::path& path) {
  std::ifstream in(path);
  double v = 0;
  if (!(in >> v)) {
    fail(ErrorKind::unsupported,
         "the emulator counted nothing: qemu-aarch64 needs to be built with plugins, and the plugin for its version");
  }
  return v;
}

// Instructions of one inference: those of a longer run less those of a shorter one, over the runs between.
void emulate(BenchResult& r, const BenchOptions& o, const Workplace& at, const std::string& agent,
             const std::string& plugin, const CancelToken* cancel) {
  constexpr int kFew = 1, kMore = 3;
  double instructions[2] = {};
  for (const int runs : {kFew, kMore}) {
    const fs::path count = at / "instructions";
    std::error_code ignored;
    fs::remove(count, ignored);
    std::vector<std::string> command{"qemu-aarch64", "-plugin", fmt::format("{},out={}", plugin, count.string())};
    if (fs::is_directory("/usr/aarch64-linux-gnu"))
      command.insert(command.begin() + 1, {"-L", "/usr/aarch64-linux-gnu"});
    command.insert(command.end(), {agent, (at / "model").string(), "--inputs", (at / "inputs").string(), "--outputs",
                                   (at / "outputs").string()});
    BenchOptions quiet = o;
    quiet.how.warmup = 0;
    quiet.how.seconds = 1e9;
    quiet.how.pause_ms = quiet.idle_seconds = 0;
    quiet.affinity.clear();
    const auto options = agent_options(quiet, r.threads, runs);
    command.insert(command.end(), options.begin(), options.end());
    const Finished f = run_process(command, cancel);
    if (f.status != 0) return say(r, f);
    instructions[runs == kMore] = counted(count);
    read_answer(f.out, r);
  }
  r.latency.reset();
  r.cpu_ms = 0;
  r.peak_bytes = 0;
  r.energy = {.source = {}, .reason = "an emulator has no power of its own"};
  r.no_latency = "an emulator's time says nothing of a device's";
  r.instructions = (instructions[1] - instructions[0]) / (kMore - kFew);
}

}  // namespace

std::vector<BenchResult> bench_on_device(const BenchModel& model, const BenchOptions& o, const ProgressFn& progress,
                                         const CancelToken* cancel) {
  if (!model.import) {
    fail(ErrorKind::unsupported, "{}: devices run what Thimble imports: {}", model.path.string(), model.not_imported);
  }
  if (o.backends != std::vector<std::string>{"thimble"}) {
    fail(ErrorKind::bad_input, "on a device the backend is thimble; other runtimes are measured with --device local");
  }
  const bool emulator = o.device.starts_with("emulator:");
  if (emulator && o.device != "emulator:aarch64") {
    fail(ErrorKind::bad_input, "the emulator there is emulator:aarch64; '{}' came", o.device);
  }
  const std::string agent = found(o.agent, "THIMBLE_GAUGE_AGENT", "the agent built for it", "--agent");
  const std::string plugin =
      emulator ? found(o.plugin, "THIMBLE_GAUGE_PLUGIN", "the plugin that counts instructions", "--plugin") : "";
  Workplace at;
  const auto session = make_thimble_backend()->open(model, 1);
  session->run();
  const auto expected = session->outputs();
  std::vector<graph::Tensor> inputs;
  for (const graph::ValueId v : model.import->graph.inputs) {
    for (const BenchPort& p : model.inputs) {
      if (p.name == model.import->graph.value(v).name) inputs.push_back(to_tensor(p));
    }
  }
  write_packed_model(at / "model", model.import->graph, model.import->weights, model.sha256);
  write_inputs(at / "inputs", model.import->graph, inputs);

  std::unique_ptr<Transport> there;
  if (!emulator) {
    there = open_transport(o.device, cancel);
    there->push(agent, "agent", true);
    there->push(at / "model", "model", false);
    there->push(at / "inputs", "inputs", false);
  }
  std::vector<BenchResult> results;
  for (const int threads : o.threads) {
    if (progress) progress(std::ssize(results), std::ssize(o.threads), fmt::format("{} threads", threads));
    BenchResult r = described(model, o, "thimble", threads);
    if (emulator) {
      emulate(r, o, at, agent, plugin, cancel);
    } else {
      std::vector<std::string> command{there->file("agent"),  there->file("model"), "--inputs",
                                       there->file("inputs"), "--outputs",          there->file("outputs")};
      const auto options = agent_options(o, threads, o.how.runs);
      command.insert(command.end(), options.begin(), options.end());
      const Finished f = there->run(command);
      if (f.status != 0) {
        say(r, f);
      } else {
        read_answer(f.out, r);
        there->pull("outputs", at / "outputs");
      }
    }
    if (r.refused.empty()) judge(r, read_outputs(at / "outputs"), expected, o.tolerance);
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace thimble::gauge
