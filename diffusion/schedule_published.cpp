// The levels that the scheduler classes of diffusers visit, to the rounding: f64 where they use NumPy's doubles, f32
// where their tables are tensors.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "diffusion/schedule.h"

namespace thimble::diffusion {
namespace {

// Element i of NumPy's linspace.
double numpy_linspace(double begin, double end, int i, int count) {
  if (count == 1) return begin;
  return i == count - 1 ? end : i * ((end - begin) / (count - 1)) + begin;
}

// Element i of NumPy's arange(n, 0, -n / steps): from the rounded difference of its first two elements.
double countdown(double n, int i, int steps) { return n + i * ((n - n / steps) - n); }

float shifted(float t, double shift) { return static_cast<float>(shift) * t / (1 + static_cast<float>(shift - 1) * t); }
double shifted(double t, double shift) { return shift * t / (1 + (shift - 1) * t); }

// n steps between training times: leading and trailing of all classes, linspace with both ends.
double time_of(const ScheduleConfig& c, int i, int steps) {
  const double n = c.train_steps;
  switch (c.spacing) {
    case Spacing::leading: return (c.train_steps / steps) * (steps - 1 - i) + c.steps_offset;
    case Spacing::linspace: return numpy_linspace(0, n - 1, steps - 1 - i, steps);
    case Spacing::trailing: break;
  }
  return std::nearbyint(countdown(n, i, steps)) - 1;
}

// DPM-Solver counts one time more and leaves out the least.
double dpm_time(const ScheduleConfig& c, int i, int steps) {
  switch (c.spacing) {
    case Spacing::leading: return (c.train_steps / (steps + 1)) * (steps - i) + c.steps_offset;
    case Spacing::linspace: return std::nearbyint(numpy_linspace(0, c.train_steps - 1, steps - i, steps + 1));
    case Spacing::trailing: break;
  }
  return std::nearbyint(countdown(c.train_steps, i, steps)) - 1;
}

double lcm_time(const ScheduleConfig& c, int i, int steps) {
  if (steps > c.distilled_steps) {
    fail(ErrorKind::bad_input, "between 1 and {} steps are possible with lcm, {} were asked", c.distilled_steps, steps);
  }
  const int apart = c.train_steps / c.distilled_steps;
  const auto skipped = static_cast<int>(std::floor(i * (static_cast<double>(c.distilled_steps) / steps)));
  return (c.distilled_steps - skipped) * apart - 1;
}

}  // namespace

NoiseLevel Schedule::between(double time) const {
  const auto last = static_cast<double>(config_.train_steps - 1);
  time = std::clamp(time, 0.0, last);
  // sigma / alpha, what the sigmas of diffusers are.
  const auto ratio = [&](double at) {
    const double bar = alpha_bar_[static_cast<std::size_t>(at)];
    if (!config_.single_precision) return std::sqrt((1 - bar) / bar);
    const auto b = static_cast<float>(bar);
    return double{std::sqrt((1 - b) / b)};
  };
  const double below = std::floor(time), low = ratio(below);
  double s = below == time ? low : (ratio(below + 1) - low) * (time - below) + low;
  if (config_.single_precision) s = static_cast<float>(s);
  const double alpha = 1 / std::sqrt(s * s + 1);
  return {time, alpha, s * alpha};
}

std::vector<NoiseLevel> Schedule::published_levels(int steps) const {
  const ScheduleConfig& c = config_;
  const bool flow = c.kind == ScheduleKind::flow;
  const auto straight = [](double time, double sigma) { return NoiseLevel{time, 1 - sigma, sigma}; };
  std::vector<NoiseLevel> levels;
  for (int i = 0; i < steps; ++i) {
    if (flow && c.grid == Grid::flow_match) {
      const double most = shifted(1.0F, c.shift), least = shifted(1.0F / static_cast<float>(c.train_steps), c.shift);
      const double t = numpy_linspace(most * c.train_steps, least * c.train_steps, i, steps) / c.train_steps;
      const auto sigma = static_cast<float>(shifted(t, c.shift));
      levels.push_back(straight(sigma * static_cast<float>(c.time_scale), sigma));
    } else if (flow && c.grid == Grid::dpm_solver) {
      const double clean = numpy_linspace(1, 1.0 / c.train_steps, steps - i, steps + 1);
      const double sigma = shifted(1 - clean, c.shift);
      levels.push_back(straight(std::trunc(sigma * c.time_scale), static_cast<float>(sigma)));
    } else if (flow) {
      fail(ErrorKind::bad_input, "the levels of a rectified flow are those of thimble, dpm_solver or flow_match");
    } else if (c.grid == Grid::dpm_solver) {
      levels.push_back(between(dpm_time(c, i, steps)));
    } else if (c.grid == Grid::euler) {
      levels.push_back(between(static_cast<float>(time_of(c, i, steps))));
    } else if (c.grid == Grid::ddim) {
      levels.push_back(discrete(static_cast<int>(std::nearbyint(time_of(c, i, steps)))));
    } else if (c.grid == Grid::lcm) {
      levels.push_back(discrete(static_cast<int>(lcm_time(c, i, steps))));
    } else {
      fail(ErrorKind::bad_input, "flow_match is for schedules of a rectified flow");
    }
  }
  levels.push_back(flow ? straight(0, 0) : c.grid == Grid::ddim ? clean_end() : NoiseLevel{0, 1, 0});
  return levels;
}

}  // namespace thimble::diffusion
