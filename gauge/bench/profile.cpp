// Time of every step of Thimble's plan for an imported model.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "gauge/bench/bench.h"

namespace thimble::gauge {

std::vector<ProfiledStep> profile(const BenchModel& model, int threads, const Repetition& how,
                                  const CancelToken* cancel) {
  if (!model.import) fail(ErrorKind::unsupported, "{}: {}", model.path.string(), model.not_imported);
  const auto executor = runtime::make_device_executor({.threads = threads});
  const auto program = executor->compile(model.import->graph, model.import->weights, {});
  auto* device = dynamic_cast<runtime::DeviceProgram*>(program.get());
  check(device != nullptr, "the device executor makes other programs");
  std::vector<graph::Tensor> inputs;
  for (const graph::ValueId v : model.import->graph.inputs) {
    const auto port = std::ranges::find(model.inputs, model.import->graph.value(v).name, &BenchPort::name);
    check(port != model.inputs.end(), "an input of the graph is none of the model");
    inputs.push_back(to_tensor(*port));
  }
  const auto& steps = device->report().steps;
  // The least of many runs, step by step: what else the machine does at the time stays out.
  std::vector<ProfiledStep> out;
  for (const runtime::StepReport& step : steps) out.push_back({step, std::numeric_limits<double>::infinity(), 0});
  Timing timing;
  repeat(
      timing, how,
      [&] {
        device->set_profile(true);
        (*program)(inputs);
        for (std::size_t i = 0; i < out.size(); ++i) {
          out[i].ms = std::min(out[i].ms, static_cast<double>(device->profile_ns()[i]) / 1e6);
        }
      },
      cancel);
  double all = 0;
  for (const ProfiledStep& s : out) all += s.ms;
  for (ProfiledStep& s : out) s.share = all > 0 ? s.ms / all : 0;
  std::ranges::stable_sort(out, [](const ProfiledStep& a, const ProfiledStep& b) { return a.ms > b.ms; });
  return out;
}

}  // namespace thimble::gauge
