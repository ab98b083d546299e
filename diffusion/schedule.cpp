#include "diffusion/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace thimble::diffusion {
namespace {

template <class E, std::size_t N>
E by_name(std::string_view name, const std::array<E, N>& all, const char* what) {
  std::string known;
  for (const E e : all) {
    if (to_string(e) == name) return e;
    known += known.empty() ? "" : ", ";
    known += to_string(e);
  }
  fail(ErrorKind::bad_input, "there is no {} '{}'; there are {}", what, name, known);
}

}  // namespace

std::string_view to_string(Prediction prediction) {
  switch (prediction) {
    case Prediction::epsilon: return "epsilon";
    case Prediction::v: return "v";
    case Prediction::flow: break;
  }
  return "flow";
}

Prediction prediction_from_string(std::string_view name) {
  return by_name(name, std::array{Prediction::epsilon, Prediction::v, Prediction::flow}, "prediction");
}

std::string_view to_string(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::linear: return "linear";
    case ScheduleKind::scaled_linear: return "scaled_linear";
    case ScheduleKind::cosine: return "cosine";
    case ScheduleKind::flow: break;
  }
  return "flow";
}

ScheduleKind schedule_from_string(std::string_view name) {
  return by_name(
      name, std::array{ScheduleKind::flow, ScheduleKind::linear, ScheduleKind::scaled_linear, ScheduleKind::cosine},
      "noise schedule");
}

std::string_view to_string(Spacing spacing) {
  switch (spacing) {
    case Spacing::leading: return "leading";
    case Spacing::linspace: return "linspace";
    case Spacing::trailing: break;
  }
  return "trailing";
}

Spacing spacing_from_string(std::string_view name) {
  return by_name(name, std::array{Spacing::leading, Spacing::linspace, Spacing::trailing}, "spacing");
}

namespace {

// Element i of PyTorch's f32 linspace: from the nearer end, rounded once.
float linspace(double begin, double end, int i, int count) {
  const auto a = static_cast<float>(begin), b = static_cast<float>(end);
  const float step = (b - a) / static_cast<float>(count - 1);
  return i < count / 2 ? static_cast<float>(double{a} + double{step} * i)
                       : static_cast<float>(double{b} - double{step} * (count - 1 - i));
}

float single_beta(const ScheduleConfig& c, int i, double beta) {
  if (c.kind == ScheduleKind::cosine || c.train_steps < 2) return static_cast<float>(beta);
  if (c.kind == ScheduleKind::linear) return linspace(c.beta_start, c.beta_end, i, c.train_steps);
  const float root = linspace(std::sqrt(c.beta_start), std::sqrt(c.beta_end), i, c.train_steps);
  return root * root;
}

}  // namespace

std::vector<double> alpha_bars(const ScheduleConfig& c) {
  std::vector<double> bars(static_cast<std::size_t>(c.train_steps));
  // Cosine: beta = 1 - f(t + 1) / f(t), at most 0.999 (Nichol and Dhariwal 2021, section 3.2).
  const auto f = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2), 2); };
  const double n = c.train_steps, last = std::max(1, c.train_steps - 1);
  double product = 1;
  for (int i = 0; i < c.train_steps; ++i) {
    double beta = 0;
    if (c.kind == ScheduleKind::cosine) {
      beta = std::min(1 - f((i + 1) / n) / f(i / n), 0.999);
    } else if (c.kind == ScheduleKind::scaled_linear) {
      const double lo = std::sqrt(c.beta_start), hi = std::sqrt(c.beta_end);
      beta = std::pow(lo + (hi - lo) * i / last, 2);
    } else {
      beta = c.beta_start + (c.beta_end - c.beta_start) * i / last;
    }
    // PyTorch keeps the running product in double and rounds what it stores.
    product *= c.single_precision ? double{1.0F - single_beta(c, i, beta)} : 1 - beta;
    bars[static_cast<std::size_t>(i)] = c.single_precision ? static_cast<float>(product) : product;
  }
  return bars;
}

Schedule::Schedule(ScheduleConfig config) : config_(config) {
  if (config_.kind == ScheduleKind::flow) {
    if (!(config_.shift >= 1e-3 && config_.shift <= 1e3 && config_.time_scale > 0)) {
      fail(ErrorKind::bad_input,
           "a flow schedule wants a shift of 0.001 to 1000 and a positive time scale, {} and {} came", config_.shift,
           config_.time_scale);
    }
    return;
  }
  if (config_.train_steps < 1 || config_.train_steps > 100000 || config_.steps_offset < 0 || config_.steps_offset > 1 ||
      !(config_.beta_start > 0 && config_.beta_start <= config_.beta_end && config_.beta_end < 1)) {
    fail(ErrorKind::bad_input,
         "a noise schedule wants 1 to 100000 training steps, an offset of 0 or 1 and 0 < beta_start <= beta_end < 1; "
         "{}, {}, {} and {} came",
         config_.train_steps, config_.steps_offset, config_.beta_start, config_.beta_end);
  }
  alpha_bar_ = alpha_bars(config_);
}

NoiseLevel Schedule::discrete(int index) const {
  const int i = std::clamp(index, 0, config_.train_steps - 1);
  const double bar = alpha_bar_[static_cast<std::size_t>(i)];
  return {static_cast<double>(i), std::sqrt(bar), std::sqrt(1 - bar)};
}

NoiseLevel Schedule::clean_end() const { return config_.final_alpha_one ? NoiseLevel{0, 1, 0} : discrete(0); }

NoiseLevel Schedule::at(double t) const {
  t = std::clamp(t, 0.0, 1.0);
  if (config_.kind == ScheduleKind::flow) {
    const double sigma = config_.shift * t / (1 + (config_.shift - 1) * t);
    return {config_.time_scale * sigma, 1 - sigma, sigma};
  }
  return discrete(static_cast<int>(std::lround(t * (config_.train_steps - 1))));
}

std::vector<NoiseLevel> Schedule::levels(int steps) const {
  const int most = config_.kind == ScheduleKind::flow ? 1000 : std::min(1000, config_.train_steps);
  if (steps < 1 || steps > most)
    fail(ErrorKind::bad_input, "between 1 and {} steps are possible, {} were asked", most, steps);
  if (config_.grid != Grid::thimble) return published_levels(steps);
  std::vector<NoiseLevel> levels;
  for (int i = 0; i < steps; ++i) {
    const double n = config_.train_steps, left = steps - i;
    if (config_.kind == ScheduleKind::flow) {
      levels.push_back(at(left / steps));
      continue;
    }
    // nearbyint: halves go to even, as the published schedules round.
    switch (config_.spacing) {
      case Spacing::leading:
        levels.push_back(discrete((config_.train_steps / steps) * (steps - 1 - i) + config_.steps_offset));
        break;
      case Spacing::linspace:
        levels.push_back(discrete(static_cast<int>(std::nearbyint((n - 1) * left / steps))));
        break;
      case Spacing::trailing: levels.push_back(discrete(static_cast<int>(std::nearbyint(n * left / steps)) - 1)); break;
    }
  }
  levels.push_back(config_.kind == ScheduleKind::flow ? at(0) : clean_end());
  return levels;
}

double Schedule::fraction(const NoiseLevel& level) const {
  return config_.kind == ScheduleKind::flow ? level.sigma : level.time / config_.train_steps;
}

}  // namespace thimble::diffusion
