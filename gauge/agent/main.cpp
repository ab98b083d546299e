// thimble-gauge-agent: runs one packed model on the machine it is on and prints what it measured as JSON. Pushed to
// devices by `thimble gauge bench`; small, with no importer, no argument library and nothing of the workbench.
//
//   thimble-gauge-agent MODEL --inputs FILE --outputs FILE [--warmup N] [--runs N] [--seconds S] [--pause MS]
//                       [--threads N] [--affinity LIST] [--idle S]
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/cancel.h"
#include "base/error.h"
#include "base/memory.h"
#include "gauge/agent/energy.h"
#include "gauge/agent/measure.h"
#include "gauge/agent/packed_model.h"
#include "runtime/device.h"

namespace thimble::gauge {
namespace {

struct Arguments {
  std::string model, inputs, outputs, affinity;
  Repetition how;
  int threads = 1;
  double idle = 0;  // seconds of idling before the runs, for the power that is taken off
};

template <class T>
T number(const std::string& option, const std::string& text) {
  T v{};
  const auto [end, e] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (e != std::errc() || end != text.data() + text.size() || v < 0) {
    fail(ErrorKind::bad_input, "{} takes a number of 0 or more, '{}' came", option, text);
  }
  return v;
}

Arguments read_arguments(const std::vector<std::string>& words) {
  Arguments a;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& w = words[i];
    if (!w.starts_with("--")) {
      a.model = w;
      continue;
    }
    if (i + 1 == words.size()) fail(ErrorKind::bad_input, "{} takes a value", w);
    const std::string& value = words[++i];
    if (w == "--inputs") {
      a.inputs = value;
    } else if (w == "--outputs") {
      a.outputs = value;
    } else if (w == "--affinity") {
      a.affinity = value;
    } else if (w == "--warmup") {
      a.how.warmup = number<int>(w, value);
    } else if (w == "--runs") {
      a.how.runs = number<int>(w, value);
    } else if (w == "--seconds") {
      a.how.seconds = number<double>(w, value);
    } else if (w == "--pause") {
      a.how.pause_ms = number<double>(w, value);
    } else if (w == "--threads") {
      a.threads = number<int>(w, value);
    } else if (w == "--idle") {
      a.idle = number<double>(w, value);
    } else {
      fail(ErrorKind::bad_input, "{} is no option of this program", w);
    }
  }
  if (a.model.empty() || a.inputs.empty()) fail(ErrorKind::bad_input, "a model and --inputs are needed");
  return a;
}

EnergyPerRun measured(Timing& timing, const Arguments& a, const std::function<void()>& run) {
  EnergyChoice choice = open_energy();
  if (!choice.source) {
    repeat(timing, a.how, run, &interrupt_token());
    EnergyPerRun e;
    e.reason = choice.reason;
    return e;
  }
  double idle = 0, window = 0;
  if (a.idle > 0) {
    EnergyMeter meter(*choice.source);
    std::this_thread::sleep_for(std::chrono::duration<double>(a.idle));
    idle = meter.joules();
  }
  Repetition warm = a.how, hot = a.how;
  warm.runs = hot.warmup = 0;
  Timing none;
  repeat(none, warm, run, &interrupt_token());
  EnergyMeter meter(*choice.source);
  repeat(timing, hot, run, &interrupt_token());
  window = meter.joules();
  return energy_per_run(choice.source->name(), window, timing.seconds, idle, a.idle, timing.ms.size());
}

OrderedJson measure(const Arguments& a) {
  if (!a.affinity.empty()) set_affinity(a.affinity);
  const PackedModel model = read_packed_model(a.model);
  const std::vector<graph::Tensor> inputs = read_inputs(a.inputs, model.graph);
  const auto executor = runtime::make_device_executor({.threads = a.threads});
  const auto program = executor->compile(model.graph, model.weights, {});
  std::vector<graph::Tensor> outputs;
  std::vector<graph::TensorView> in;
  std::vector<graph::MutableTensorView> out;
  for (const graph::Tensor& t : inputs) in.push_back(t.view());
  for (const graph::TensorType& t : program->output_types()) outputs.emplace_back(t);
  for (graph::Tensor& t : outputs) out.push_back(t.mutable_view());

  RunContext context = run_context();
  const std::int64_t switches = involuntary_switches();
  Timing timing;
  const EnergyPerRun energy = measured(timing, a, [&] { program->run(in, out, &interrupt_token()); });
  context.preempted = involuntary_switches() - switches;
  if (!a.outputs.empty()) write_outputs(a.outputs, outputs);
  OrderedJson result;
  result["model_sha256"] = model.sha256;
  result["executor"] = executor->name();
  result["threads"] = a.threads;
  result["ms"] = timing.ms;
  result["cpu_ms"] = timing.cpu_ms;
  result["planned_bytes"] = program->memory().peak_bytes();
  result["peak_resident_bytes"] = peak_resident_bytes();
  result["energy"] = to_json(energy);
  result["context"] = to_json(context);
  return result;
}

}  // namespace
}  // namespace thimble::gauge

int main(int argc, char** argv) {
  thimble::install_interrupt_handler();
  try {
    const auto arguments = thimble::gauge::read_arguments({argv + 1, argv + argc});
    fmt::print("{}\n", thimble::gauge::measure(arguments).dump());
    return 0;
  } catch (const thimble::Error& e) {
    fmt::print(stderr, "thimble-gauge-agent: {}\n", e.what());
    return e.kind() == thimble::ErrorKind::cancelled ? 130 : 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "thimble-gauge-agent: {}\n", e.what());
    return 1;
  }
}
