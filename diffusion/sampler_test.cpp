// Samplers: orders of convergence where the exact solution is known, agreement with each other, and trajectories saved
// from the schedulers of diffusers 0.32.2 on a toy network.
#include "diffusion/samplers/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>

#include "base/error.h"
#include "diffusion/guidance.h"

namespace thimble::diffusion {
namespace {

using Network = std::function<double(double x, const NoiseLevel& level)>;

std::vector<float> sample(std::string_view name, const Schedule& schedule, int steps, const SamplerOptions& options,
                          std::vector<float> x, const Network& network) {
  const auto sampler = make_sampler(name, schedule.levels(steps), options, x.size());
  std::vector<float> output(x.size());
  for (int i = 0; i < sampler->calls(); ++i) {
    for (std::size_t k = 0; k < x.size(); ++k) output[k] = static_cast<float>(network(x[k], sampler->level(i)));
    sampler->step(i, output, x);
  }
  return x;
}

// Data drawn from N(mean, spread^2): the best estimates are linear in x, and a trajectory keeps its distance from the
// mean in standard deviations s, s^2 = (alpha spread)^2 + sigma^2.
struct Gaussian {
  double mean = 0.7, spread = 0.5;

  double s2(const NoiseLevel& l) const { return std::pow(l.alpha * spread, 2) + l.sigma * l.sigma; }
  double noise(double x, const NoiseLevel& l) const { return l.sigma * (x - l.alpha * mean) / s2(l); }
  double clean(double x, const NoiseLevel& l) const {
    return mean + l.alpha * spread * spread * (x - l.alpha * mean) / s2(l);
  }
  double moved(double x, const NoiseLevel& from, const NoiseLevel& to) const {
    return to.alpha * mean + std::sqrt(s2(to) / s2(from)) * (x - from.alpha * mean);
  }
  Network network(Prediction p) const {
    return [*this, p](double x, const NoiseLevel& l) {
      const double n = noise(x, l), c = clean(x, l);
      return p == Prediction::epsilon ? n : p == Prediction::v ? l.alpha * n - l.sigma * c : n - c;
    };
  }
};

// Largest error over a few starting points.
double error_of(std::string_view name, const Schedule& schedule, int steps, Prediction prediction) {
  const Gaussian g;
  const std::vector<float> start{-2, -0.3f, 0.9f, 1.7f};
  const auto x = sample(name, schedule, steps, {.prediction = prediction}, start, g.network(prediction));
  const auto levels = schedule.levels(steps);
  double worst = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    worst = std::max(worst, std::abs(x[k] - g.moved(start[k], levels.front(), levels.back())));
  }
  return worst;
}

TEST(Sampler, EulerIsOfFirstOrder) {
  const Schedule flow({});
  const double coarse = error_of("euler", flow, 40, Prediction::flow),
               fine = error_of("euler", flow, 80, Prediction::flow);
  EXPECT_GT(coarse, 1e-3);
  EXPECT_NEAR(coarse / fine, 2, 0.15);
}

TEST(Sampler, HeunIsOfSecondOrder) {
  for (const double shift : {1.0, 3.0}) {
    const Schedule flow({.shift = shift});
    const double coarse = error_of("heun", flow, 20, Prediction::flow),
                 fine = error_of("heun", flow, 40, Prediction::flow);
    EXPECT_GT(coarse, 1e-4);
    EXPECT_NEAR(coarse / fine, 4, 0.8) << shift;
    EXPECT_LT(fine, error_of("euler", flow, 80, Prediction::flow)) << "twice the steps of Euler cost the same";
  }
}

TEST(Sampler, DpmppIsOfSecondOrderOnTheStraightPath) {
  const Schedule flow({});
  const double coarse = error_of("dpmpp", flow, 40, Prediction::flow),
               fine = error_of("dpmpp", flow, 80, Prediction::flow);
  EXPECT_GT(coarse, 1e-5);
  EXPECT_GT(coarse / fine, 3);
  EXPECT_LT(coarse / fine, 5);
}

TEST(Sampler, DdimAndDpmppMeetAtTheExactSolution) {
  for (const Prediction p : {Prediction::epsilon, Prediction::v}) {
    const Schedule schedule(
        {.kind = ScheduleKind::scaled_linear, .spacing = Spacing::trailing, .final_alpha_one = false});
    const double ddim25 = error_of("ddim", schedule, 25, p), ddim100 = error_of("ddim", schedule, 100, p);
    EXPECT_NEAR(ddim25 / ddim100, 4, 1.0);  // first order
    EXPECT_LT(ddim100, 3e-2);
    EXPECT_LT(error_of("ddim", schedule, 1000, p), 3e-3);
    EXPECT_LT(error_of("dpmpp", schedule, 1000, p), 4e-4);
    EXPECT_LT(error_of("dpmpp", schedule, 25, p), 0.6 * ddim25);
  }
}

TEST(Sampler, EulerOnADiscreteScheduleIsDdimInOtherTerms) {
  const Gaussian g;
  const Schedule schedule({.kind = ScheduleKind::scaled_linear, .spacing = Spacing::trailing});
  for (const Prediction p : {Prediction::epsilon, Prediction::v}) {
    const Network network = g.network(p);
    const auto levels = schedule.levels(12);
    const auto ddim = make_sampler("ddim", levels, {.prediction = p}, 1),
               euler = make_sampler("euler", levels, {.prediction = p}, 1);
    std::vector<float> x{0.8f}, y{static_cast<float>(0.8f * euler->initial_scale())}, out(1);
    for (int i = 0; i < ddim->calls(); ++i) {
      EXPECT_NEAR(y[0] * euler->input_scale(i), x[0], 1e-5) << i;
      out[0] = static_cast<float>(network(x[0], ddim->level(i)));
      ddim->step(i, out, x);
      out[0] = static_cast<float>(network(y[0] * euler->input_scale(i), ddim->level(i)));
      euler->step(i, out, y);
    }
    EXPECT_NEAR(y[0], x[0], 1e-5);
  }
}

TEST(Sampler, EtaKeepsTheDistribution) {
  // With eta = 1 every trajectory is random, but the ends have the data's mean and spread.
  const Gaussian g;
  const Schedule schedule({.kind = ScheduleKind::scaled_linear, .spacing = Spacing::trailing});
  std::vector<float> start(6000);
  for (std::size_t i = 0; i < start.size(); ++i) {
    const double u = (static_cast<double>(i) + 0.5) / static_cast<double>(start.size());
    start[i] = static_cast<float>(2 * std::sqrt(3.0) * (u - 0.5));  // not normal: fresh noise must make it so
  }
  const SamplerOptions noisy{.prediction = Prediction::epsilon, .eta = 1, .seed = 5};
  const auto x = sample("ddim", schedule, 1000, noisy, start, g.network(Prediction::epsilon));
  double sum = 0, squares = 0, fourth = 0;
  for (const float v : x) sum += v;
  const double n = static_cast<double>(x.size()), mean = sum / n;
  for (const float v : x) {
    squares += std::pow(v - mean, 2);
    fourth += std::pow(v - mean, 4);
  }
  EXPECT_NEAR(mean, g.mean, 0.02);
  EXPECT_NEAR(std::sqrt(squares / n), g.spread, 0.015);
  EXPECT_NEAR(fourth / n / std::pow(squares / n, 2), 3, 0.3);  // a uniform start has 1.8
  EXPECT_EQ(x, sample("ddim", schedule, 1000, noisy, start, g.network(Prediction::epsilon)));
}

// Saved outputs of diffusers 0.32.2: 0.5 x + 0.3 sin(2 x + 3 f) as network, f the level's fraction, from a fixed start.
struct Golden {
  const char *name, *sampler;
  ScheduleConfig schedule;
  Prediction prediction;
  int steps;
  std::vector<double> wanted;
};

ScheduleConfig ddpm(ScheduleKind kind, Spacing spacing, bool stable_diffusion = false) {
  return {
      .kind = kind, .spacing = spacing, .steps_offset = stable_diffusion ? 1 : 0, .final_alpha_one = !stable_diffusion};
}

TEST(Sampler, TrajectoriesOfDiffusers) {
  using enum ScheduleKind;
  using enum Spacing;
  const Prediction e = Prediction::epsilon, v = Prediction::v, f = Prediction::flow;
  const std::vector<Golden> goldens{
      {"ddim leading",
       "ddim",
       ddpm(scaled_linear, leading, true),
       e,
       10,
       {-3.0862439, -0.78897823, 2.0396991, 3.9378451}},
      {"ddim trailing", "ddim", ddpm(scaled_linear, trailing), e, 8, {-4.3470701, -1.153765, 2.5202153, 5.4711544}},
      {"dpm linspace", "dpmpp", ddpm(scaled_linear, linspace), e, 10, {-3.4744331, -0.87291244, 2.3837772, 5.1224033}},
      {"ddim linear", "ddim", ddpm(linear, leading, true), e, 10, {-3.8953394, -1.0579048, 2.5276448, 5.5008321}},
      {"ddim v",
       "ddim",
       ddpm(scaled_linear, leading, true),
       v,
       10,
       {-0.41748622, -0.19184038, 0.037455364, 0.88374161}},
      {"ddim v trailing", "ddim", ddpm(linear, trailing), v, 8, {-0.3150553, -0.16167361, -0.0053438054, 0.72694741}},
      {"dpm v", "dpmpp", ddpm(scaled_linear, linspace), v, 10, {-0.43800601, -0.18185788, 0.040992431, 0.95213813}},
      {"dpm v cosine", "dpmpp", ddpm(cosine, linspace), v, 10, {-0.51685963, -0.23642327, 0.070898138, 0.9479393}},
      {"euler", "euler", {}, f, 8, {-0.75032698, -0.27468247, 0.20297143, 1.293071}},
      {"euler shifted", "euler", {.shift = 3}, f, 8, {-0.74476351, -0.30128475, 0.18559025, 1.3249789}},
      {"heun", "heun", {}, f, 8, {-0.7528716, -0.2608487, 0.18861602, 1.3154672}},
      {"heun shifted", "heun", {.shift = 3}, f, 8, {-0.74625026, -0.28828107, 0.16695431, 1.3431081}},
      {"dpm flow", "dpmpp", {}, f, 8, {-0.75261569, -0.25680249, 0.18707976, 1.3085337}},
      {"dpm flow shifted", "dpmpp", {.shift = 3}, f, 8, {-0.74490346, -0.29465265, 0.15781187, 1.3623309}},
  };
  for (const Golden& g : goldens) {
    const Schedule schedule(g.schedule);
    const auto x = sample(
        g.sampler, schedule, g.steps, {.prediction = g.prediction}, {-1.5f, -0.25f, 0.5f, 2.0f},
        [&](double at, const NoiseLevel& l) { return 0.5 * at + 0.3 * std::sin(2 * at + 3 * schedule.fraction(l)); });
    for (std::size_t k = 0; k < x.size(); ++k) {
      EXPECT_NEAR(x[k], g.wanted[k], 1e-6 * std::max(1.0, std::abs(g.wanted[k]))) << g.name << " element " << k;
    }
  }
}

TEST(Schedule, LevelsRunFromNoiseToClean) {
  const Schedule flow({.shift = 3, .time_scale = 1000});
  const auto levels = flow.levels(4);
  ASSERT_EQ(levels.size(), 5u);
  EXPECT_DOUBLE_EQ(levels[0].sigma, 1);
  EXPECT_DOUBLE_EQ(levels[2].sigma, 3 * 0.5 / (1 + 2 * 0.5));
  EXPECT_DOUBLE_EQ(levels[2].time, 750);
  EXPECT_DOUBLE_EQ(levels[2].alpha, 0.25);
  EXPECT_DOUBLE_EQ(levels[4].sigma, 0);

  const Schedule sd(ddpm(ScheduleKind::scaled_linear, Spacing::leading, true));
  const auto times = sd.levels(4);
  EXPECT_EQ(times[0].time, 751);
  EXPECT_EQ(times[3].time, 1);
  EXPECT_EQ(times[4].time, 0);
  EXPECT_NEAR(times[4].alpha * times[4].alpha, 1 - 0.00085, 1e-12);
  for (const NoiseLevel& l : times) EXPECT_NEAR(l.alpha * l.alpha + l.sigma * l.sigma, 1, 1e-12);

  EXPECT_THROW(flow.levels(0), Error);
  EXPECT_THROW(flow.levels(1001), Error);
  EXPECT_THROW(Schedule({.shift = 0}), Error);
  EXPECT_THROW(Schedule({.kind = ScheduleKind::linear, .beta_start = 0.1, .beta_end = 0.01}), Error);
}

TEST(Sampler, TheTableRefusesWhatDoesNotFit) {
  const Schedule flow({});
  const auto message = [&](std::string_view name, Prediction p) -> std::string {
    try {
      make_sampler(name, flow.levels(2), {.prediction = p}, 1);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("ddim", Prediction::flow),
            "sampler 'ddim' does not serve a model that predicts flow; euler, heun, dpmpp do");
  EXPECT_EQ(message("none", Prediction::v),
            "sampler 'none' does not serve a model that predicts v; euler, ddim, dpmpp, pndm, euler_ancestral, lcm do");
  for (const SamplerInfo& row : samplers()) {
    EXPECT_EQ(message(row.name, row.flow ? Prediction::flow : Prediction::epsilon), "no error") << row.name;
  }
}

TEST(Guidance, MovesAwayFromTheOutputWithoutText) {
  std::vector<float> with{1, 2, -1, 0};
  const std::vector<float> without{0, 1, 1, 0};
  guide({.scale = 3}, with, without);
  EXPECT_EQ(with, (std::vector<float>{3, 4, -5, 0}));
}

TEST(Guidance, FullRescalingKeepsTheSpread) {
  const std::vector<float> without{0, 1, 1, 0};
  const auto spread = [](const std::vector<float>& x) {
    double s = 0, q = 0;
    for (const float v : x) s += v, q += v * v;
    return std::sqrt(q / 4 - s * s / 16);
  };
  std::vector<float> plain{1, 2, -1, 0}, full = plain, half = plain;
  const double before = spread(plain);
  guide({.scale = 3}, plain, without);
  guide({.scale = 3, .rescale = 1}, full, without);
  guide({.scale = 3, .rescale = 0.5}, half, without);
  EXPECT_NEAR(spread(full), before, 1e-6);
  EXPECT_NEAR(full[0] / full[2], plain[0] / plain[2], 1e-6);
  EXPECT_NEAR(half[0], 0.5 * (plain[0] + full[0]), 1e-6);
}

TEST(Guidance, IsLimitedToItsInterval) {
  const GuidanceOptions o{.scale = 2, .low = 0.2, .high = 0.6};
  EXPECT_FALSE(guided_at(o, 0.1));
  EXPECT_TRUE(guided_at(o, 0.2));
  EXPECT_TRUE(guided_at(o, 0.6));
  EXPECT_FALSE(guided_at(o, 0.7));
  EXPECT_FALSE(guided_at({.scale = 1}, 0.5));
}

}  // namespace
}  // namespace thimble::diffusion
