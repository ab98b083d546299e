#include "diffusion/published/trig_flow.h"

#include <cmath>

#include "base/error.h"

namespace thimble::diffusion {
namespace {

// The first angle, and the one between that runs of two steps take.
constexpr double kFirst = 1.57080, kBetween = 1.3;

NoiseLevel level_at(double angle) {
  const double s = std::sin(angle) / (std::cos(angle) + std::sin(angle));
  return {s, 1 - s, s};
}

class TrigFlow final : public Sampler {
 public:
  TrigFlow(std::vector<NoiseLevel> levels, const SamplerOptions& options, std::size_t elements)
      : Sampler(std::move(levels), options), fresh_(elements) {
    visited_.assign(levels_.begin(), levels_.end() - 1);
  }

  double initial_scale() const override { return grid(0).sigma; }

  void step(int i, std::span<const float> output, std::span<float> latent) override {
    const NoiseLevel& at = grid(i);
    const NoiseLevel& next = grid(i + 1);
    draw(i, fresh_);
    for (std::size_t k = 0; k < latent.size(); ++k) {
      const double clean = estimate(Prediction::flow, at, latent[k], output[k]).clean;
      latent[k] = static_cast<float>(next.alpha * clean + next.sigma * fresh_[k]);
    }
  }

 private:
  std::vector<float> fresh_;
};

}  // namespace

PublishedScheduler trig_flow_from_json(const Json& config) {
  const auto it = config.find("prediction_type");
  if (it != config.end() && *it != "trigflow") {
    fail(ErrorKind::unsupported, "scheduler config: SCMScheduler is there for trigflow only");
  }
  PublishedScheduler made;
  made.sampler = kTrigFlow;
  made.schedule.kind = ScheduleKind::flow;
  made.options.prediction = Prediction::flow;
  return made;
}

std::vector<NoiseLevel> published_levels(const PublishedScheduler& scheduler, int steps) {
  if (scheduler.sampler != kTrigFlow) return Schedule(scheduler.schedule).levels(steps);
  if (steps < 1 || steps > 1000) {
    fail(ErrorKind::bad_input, "between 1 and 1000 steps are possible, {} were asked", steps);
  }
  if (steps == 2) return {level_at(kFirst), level_at(kBetween), level_at(0)};
  std::vector<NoiseLevel> levels;
  for (int i = 0; i <= steps; ++i) levels.push_back(level_at(kFirst * (steps - i) / steps));
  return levels;
}

std::unique_ptr<Sampler> make_published_sampler(const PublishedScheduler& scheduler, std::vector<NoiseLevel> levels,
                                                const SamplerOptions& options, std::size_t elements) {
  if (scheduler.sampler == kTrigFlow) return std::make_unique<TrigFlow>(std::move(levels), options, elements);
  return make_sampler(scheduler.sampler, std::move(levels), options, elements);
}

}  // namespace thimble::diffusion
