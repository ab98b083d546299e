#include "voice/study/tune.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"

namespace thimble::voice {
namespace {

constexpr double kLeastBelief = 0.01;
constexpr double kCoarser = 2.5;
constexpr double kWorthwhile = 1e-4;  // less gain than this is chance

double trial_loss(const Trial& trial, int count, const Method& method) {
  const Decision d = decide_trial(trial, count, method);
  double belief = trial.nobody ? d.nobody : 0;
  for (const DeviceScore& score : d.scores) {
    if (!trial.nobody && score.device == 0) belief = score.score;
  }
  return -std::log(std::max(belief, kLeastBelief)) + (judge(trial, d).right ? 0 : 1);
}

Settings with_value(const Settings& settings, const Knob& knob, double value) {
  Json json = Json::parse(settings_to_json(settings).dump());
  json[Json::json_pointer(knob.path)] = value;
  return settings_from_json(json, "tuned settings");
}

double value_of(const Settings& settings, const Knob& knob) {
  return Json::parse(settings_to_json(settings).dump()).at(Json::json_pointer(knob.path)).get<double>();
}

// Three digits are as many as tuning can tell apart.
double rounded(double v) { return std::stod(fmt::format("{:.3g}", v)); }

}  // namespace

std::vector<Knob> decision_knobs() {
  std::vector<Knob> knobs = {
      {.path = "/position/mouth_height", .step = 0.1, .low = 1.2, .high = 1.7},
      {.path = "/position/bearing_sigma_deg", .factor = 1.4, .low = 1, .high = 15},
      {.path = "/position/outlier", .factor = 2, .low = 0.005, .high = 0.5},
      {.path = "/fit/raw", .step = 0.25, .low = 0, .high = 3},
      {.path = "/fit/beam", .step = 0.25, .low = 0, .high = 3},
      {.path = "/fit/coherent", .step = 0.25, .low = 0, .high = 3},
      {.path = "/fit/onset", .step = 0.25, .low = 0, .high = 3},
      {.path = "/fit/residual_db", .factor = 1.3, .low = 1, .high = 12},
      {.path = "/fit/noise_penalty", .factor = 1.6, .low = 0.05, .high = 10},
      {.path = "/fit/facing_sigma_deg", .factor = 1.3, .low = 4, .high = 20},
      {.path = "/fit/reverberation_spread_db", .factor = 1.4, .low = 1, .high = 15},
      {.path = "/fit/gain_spread_db", .factor = 1.4, .low = 0.3, .high = 6},
      {.path = "/fit/position_spread", .factor = 1.5, .low = 0.02, .high = 0.6},
      {.path = "/fit/nobody_prior", .factor = 2, .low = 0.002, .high = 0.3},
  };
  for (int i = 0; i < 3; ++i) {
    knobs.push_back({.path = fmt::format("/fit/loudness/{}", i), .step = 0.05, .low = 0, .high = 1});
  }
  for (int b = 0; b < kBands; ++b) {
    knobs.push_back({.path = fmt::format("/fit/band_weights/{}", b), .factor = 1.4, .low = 0.05, .high = 4});
    knobs.push_back({.path = fmt::format("/fit/reverberation_db/{}", b), .step = 1.5, .low = -25, .high = 15});
  }
  return knobs;
}

double tuning_loss(std::span<const Trial> trials, const std::vector<int>& counts, const Settings& settings, int threads,
                   const CancelToken& cancel) {
  check(!trials.empty() && !counts.empty(), "tuning on no trials");
  // A coarser sum over angles says the same at a fraction of the time.
  Settings coarse = settings;
  coarse.fit.angle_step_deg *= kCoarser;
  const auto method = make_method("facing", coarse);
  std::vector<double> losses(trials.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    for (std::size_t t = 0; (t = next.fetch_add(1)) < trials.size() && !cancel.cancelled();) {
      try {
        for (int count : counts) losses[t] += trial_loss(trials[t], count, *method);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        return;
      }
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& t : pool) t.join();
  if (error) std::rethrow_exception(error);
  cancel.throw_if_cancelled();
  double sum = 0;
  for (double loss : losses) sum += loss;
  return sum / static_cast<double>(trials.size() * counts.size());
}

Tuned tune(std::span<const Trial> trials, const std::vector<int>& counts, const Settings& start,
           const std::vector<Knob>& knobs, int rounds, int threads, const ProgressFn& progress,
           const CancelToken& cancel) {
  Tuned tuned{start, tuning_loss(trials, counts, start, threads, cancel), 0, 1};
  tuned.after = tuned.before;
  const std::int64_t total = static_cast<std::int64_t>(rounds) * std::ssize(knobs);
  for (int round = 0; round < rounds; ++round) {
    bool moved = false;
    for (std::size_t k = 0; k < knobs.size(); ++k) {
      const Knob& knob = knobs[k];
      if (progress) {
        progress(round * std::ssize(knobs) + static_cast<std::int64_t>(k), total,
                 fmt::format("loss {:.4f}", tuned.after));
      }
      const double shrink = std::pow(0.7, round);
      for (int way : {1, -1}) {
        const double value = value_of(tuned.settings, knob);
        const double factor = std::pow(knob.factor, way * shrink), step = knob.step * way * shrink;
        const double tried = std::clamp(rounded(knob.factor != 1 ? value * factor : value + step), knob.low, knob.high);
        if (tried == value) continue;
        const Settings candidate = with_value(tuned.settings, knob, tried);
        const double loss = tuning_loss(trials, counts, candidate, threads, cancel);
        ++tuned.tried;
        if (loss < tuned.after - kWorthwhile) {
          tuned.settings = candidate;
          tuned.after = loss;
          moved = true;
          break;
        }
      }
    }
    if (!moved) break;
  }
  return tuned;
}

}  // namespace thimble::voice
