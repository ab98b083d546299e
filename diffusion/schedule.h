// How pictures are mixed with noise: x = alpha * clean + sigma * noise, for every noise level that training or sampling
// asks for. Rectified flow (Liu et al. 2022; shift of Esser et al. 2024, section 5.3.2) and the discrete betas of DDPM
// (Ho et al. 2020; scaled-linear of Rombach et al. 2022; cosine of Nichol and Dhariwal 2021).
// Not here: steps from one level to the next (diffusion/samplers), what the network is (diffusion/facts.h), reading a
// published scheduler_config.json (diffusion/samplers/published.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thimble::diffusion {

// What the network's output means: the noise; v = alpha * noise - sigma * clean (Salimans and Ho 2022); or the velocity
// of the straight path, noise - clean.
enum class Prediction { epsilon, v, flow };
std::string_view to_string(Prediction prediction);
Prediction prediction_from_string(std::string_view name);  // bad_input

enum class ScheduleKind { flow, linear, scaled_linear, cosine };
std::string_view to_string(ScheduleKind kind);
ScheduleKind schedule_from_string(std::string_view name);  // bad_input

// Which of the training times a DDPM sampler visits; names as in "Common Diffusion Noise Schedules ..." (Lin et al.
// 2023).
enum class Spacing { leading, linspace, trailing };
std::string_view to_string(Spacing spacing);
Spacing spacing_from_string(std::string_view name);  // bad_input

// Which levels a run of n steps visits: Thimble's own rule, or that of the scheduler classes of diffusers, by the name
// of the class. They differ in the ends and in rounding: `euler` has times between the integers, `ddim` (and PNDM) and
// `euler` count both ends of linspace among the steps, `dpm_solver` does not and takes the steps of flow from 1 -
// 1/train_steps on, `lcm` thins out the levels of its distillation, and `flow_match` shifts an already shifted end.
// For `ddim` with a trailing spacing that does not divide train_steps, and with linspace, steps end at the next level
// visited, those of diffusers train_steps / n before the present one.
enum class Grid { thimble, ddim, euler, dpm_solver, lcm, flow_match };

// One noise level. `time` is what the network is told.
struct NoiseLevel {
  double time = 0;
  double alpha = 1;
  double sigma = 0;
};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::flow;
  // Flow: t in [0, 1] (1 is noise) becomes shift * t / (1 + (shift - 1) * t); the network is told time_scale * t.
  double shift = 1;
  double time_scale = 1;
  // DDPM: the network is told the index 0 .. train_steps - 1.
  int train_steps = 1000;
  double beta_start = 0.00085, beta_end = 0.012;
  Spacing spacing = Spacing::leading;
  int steps_offset = 0;         // added to leading times
  bool final_alpha_one = true;  // the last level is clean; else it is the one of time 0
  // Published models.
  Grid grid = Grid::thimble;
  bool single_precision = false;  // betas and all that derives from them rounded to f32 where PyTorch rounds
  int distilled_steps = 50;       // lcm: levels that the network was distilled on
  bool operator==(const ScheduleConfig&) const = default;
};

class Schedule {
 public:
  explicit Schedule(ScheduleConfig config);  // bad_input when a value is absurd

  const ScheduleConfig& config() const { return config_; }

  // The level at t in [0, 1], 1 the noisiest; DDPM rounds to the nearest training time. The shift is applied.
  NoiseLevel at(double t) const;

  // steps + 1 levels from the noisiest to the clean end, all that a sampler needs. steps in 1..1000, and at most
  // train_steps for DDPM (bad_input).
  std::vector<NoiseLevel> levels(int steps) const;

  // How noisy a level is as a fraction of the whole way, in [0, 1]: flow's t, or time / train_steps.
  double fraction(const NoiseLevel& level) const;

 private:
  NoiseLevel discrete(int index) const;
  // Between two training times, linear in sigma / alpha as diffusers interpolates.
  NoiseLevel between(double time) const;
  NoiseLevel clean_end() const;
  std::vector<NoiseLevel> published_levels(int steps) const;  // schedule_published.cpp

  ScheduleConfig config_;
  std::vector<double> alpha_bar_;  // DDPM: product of 1 - beta up to each time
};

// The cumulative products of 1 - beta, one for each training time.
std::vector<double> alpha_bars(const ScheduleConfig& config);

}  // namespace thimble::diffusion
