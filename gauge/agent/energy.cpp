// The choice of a source, polling, and what an inference cost.
#include "gauge/agent/energy.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace thimble::gauge {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

EnergyChoice open_energy(const std::string& root) {
  EnergyChoice rapl = open_rapl(root);
  if (rapl.source) return rapl;
  EnergyChoice battery = open_battery(root);
  if (battery.source) return battery;
  return {nullptr, rapl.reason + "; " + battery.reason};
}

struct EnergyMeter::Impl {
  explicit Impl(EnergySource& s) : source(s) {}
  EnergySource& source;
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  double start = 0;
  std::thread thread;
};

EnergyMeter::EnergyMeter(EnergySource& source) : impl_(std::make_unique<Impl>(source)) {
  source.poll(now());
  impl_->start = source.joules();
  impl_->thread = std::thread([this] {
    std::unique_lock lock(impl_->mutex);
    while (!impl_->wake.wait_for(lock, std::chrono::milliseconds(100), [this] { return impl_->stop; })) {
      impl_->source.poll(now());
    }
  });
}

EnergyMeter::~EnergyMeter() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

double EnergyMeter::joules() {
  const std::lock_guard lock(impl_->mutex);
  impl_->source.poll(now());
  return impl_->source.joules() - impl_->start;
}

EnergyPerRun energy_per_run(const std::string& source, double window_joules, double window_seconds, double idle_joules,
                            double idle_seconds, std::size_t runs) {
  EnergyPerRun e;
  if (runs == 0 || window_joules <= 0) {
    e.reason = source + ": its counter did not move during the runs";
    return e;
  }
  e.source = source;
  e.idle_watts = idle_seconds > 0 ? idle_joules / idle_seconds : 0;
  const auto n = static_cast<double>(runs);
  e.with_idle = window_joules / n;
  e.joules = (window_joules - e.idle_watts * window_seconds) / n;
  return e;
}

OrderedJson to_json(const EnergyPerRun& e) {
  if (!e.known()) return {{"source", nullptr}, {"reason", e.reason}};
  return {{"source", e.source},
          {"joules_per_inference", e.joules},
          {"joules_per_inference_with_idle", e.with_idle},
          {"idle_watts", e.idle_watts}};
}

}  // namespace thimble::gauge
