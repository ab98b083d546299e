// Whole trajectories of the scheduler classes of diffusers (tools/goldens/schedulers.py): times, noise levels and the
// latent after every call, from the same scheduler_config and the same noise.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "diffusion/samplers/published.h"
#include "diffusion/torch_rng.h"

namespace thimble::diffusion {
namespace {

Json saved(const char* name) { return parse_json(read_file(std::filesystem::path("diffusion/testdata") / name), name); }

float network(float x, double time) {
  return static_cast<float>(0.5 * x + 0.3 * std::sin(2 * double{x} + 3 * time / 1000));
}

class Published : public testing::TestWithParam<Json> {};

TEST_P(Published, TrajectoryOfDiffusers) {
  const Json& run = GetParam();
  PublishedScheduler p = scheduler_from_json(run.at("config"));
  if (run.at("own_sigmas")) p.schedule.grid = Grid::thimble;
  TorchRng rng(run.at("seed").get<std::uint64_t>());
  p.options.eta = run.at("eta");
  p.options.noise = [&](std::span<float> out) { rng.randn(out); };
  auto x = run.at("start").get<std::vector<float>>();
  const auto sampler = make_sampler(p.sampler, Schedule(p.schedule).levels(run.at("steps")), p.options, x.size());
  const auto times = run.at("timesteps").get<std::vector<double>>();
  ASSERT_EQ(sampler->calls(), static_cast<int>(times.size()));
  for (float& v : x) v = static_cast<float>(v * sampler->initial_scale());
  std::vector<float> output(x.size());
  double worst = 0;
  for (int i = 0; i < sampler->calls(); ++i) {
    const auto n = static_cast<std::size_t>(i);
    const NoiseLevel& level = sampler->level(i);
    EXPECT_NEAR(level.time, times[n], 1e-6 * std::max(1.0, times[n])) << i;
    if (run.contains("sigmas")) {
      const double sigma = run.at("sigmas")[n];
      const double own = p.options.prediction == Prediction::flow ? level.sigma : level.sigma / level.alpha;
      EXPECT_NEAR(own, sigma, 1e-6 * sigma) << i;
    } else {
      EXPECT_NEAR(level.alpha * level.alpha, run.at("alpha_bars")[n].get<double>(), 1e-9) << i;
    }
    for (std::size_t k = 0; k < x.size(); ++k) {
      output[k] = network(static_cast<float>(x[k] * sampler->input_scale(i)), level.time);
    }
    sampler->step(i, output, x);
    const auto wanted = run.at("latents")[n].get<std::vector<float>>();
    double largest = 1, error = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      largest = std::max(largest, std::abs(double{wanted[k]}));
      error = std::max(error, std::abs(double{x[k]} - wanted[k]));
    }
    EXPECT_LT(error, 1e-6 * largest) << "after call " << i;
    worst = std::max(worst, error / largest);
  }
  RecordProperty("worst", fmt::format("{:.2g}", worst));
}

// Asked for before main() and from any folder, where an error would hide all tests.
std::vector<Json> runs() {
  if (!std::filesystem::exists("diffusion/testdata/schedulers.json")) return {};
  return saved("schedulers.json").at("runs").get<std::vector<Json>>();
}

TEST(PublishedConfig, TheSavedRunsAreThere) { EXPECT_GE(runs().size(), 38u); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Published);
INSTANTIATE_TEST_SUITE_P(Runs, Published, testing::ValuesIn(runs()), [](const testing::TestParamInfo<Json>& info) {
  std::string name = info.param.at("name");
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(PublishedConfig, FamiliesHaveTheirPublishedSettings) {
  for (const FamilyDefaults& f : family_defaults()) {
    const PublishedScheduler p = scheduler_from_json(parse_json(f.config, f.family));
    const auto levels = Schedule(p.schedule).levels(f.steps);
    EXPECT_NO_THROW(make_sampler(p.sampler, levels, p.options, 1)) << f.family;
  }
  const auto of = [](std::string_view family) {
    return scheduler_from_json(parse_json(family_defaults(family).config, family));
  };
  EXPECT_EQ(of("sd1.5").sampler, "pndm");
  EXPECT_EQ(Schedule(of("sd1.5").schedule).levels(50).front().time, 981);
  EXPECT_EQ(Schedule(of("sana").schedule).levels(20).front().time, 999);
  EXPECT_EQ(Schedule(of("flux.1-schnell").schedule).levels(4).front().time, 1000);
  EXPECT_TRUE(of("sdxl-turbo").options.noise_alone);
  EXPECT_FALSE(of("sdxl").options.noise_alone);
  EXPECT_THROW(family_defaults("sd9"), Error);
}

TEST(PublishedConfig, AnotherClassKeepsTheKeysThatAreThere) {
  const Json config = parse_json(family_defaults("sd1.5").config, "sd1.5");
  const PublishedScheduler dpm = scheduler_from_json(config, "DPMSolverMultistepScheduler");
  EXPECT_EQ(dpm.sampler, "dpmpp");
  EXPECT_EQ(dpm.schedule.kind, ScheduleKind::scaled_linear);
  EXPECT_EQ(dpm.schedule.spacing, Spacing::linspace) << "the class's own, for the config names none";
  EXPECT_EQ(scheduler_from_json(config, "DDIMScheduler").schedule.spacing, Spacing::leading);
}

TEST(PublishedConfig, WhatIsNotThereIsRefused) {
  const auto refused = [](const Json& config) { EXPECT_THROW(scheduler_from_json(config), Error) << config.dump(); };
  refused({{"_class_name", "UniPCMultistepScheduler"}});
  refused({{"_class_name", "PNDMScheduler"}});  // a Runge-Kutta start is its default
  refused({{"_class_name", "DDIMScheduler"}});  // so is clipping
  refused({{"_class_name", "EulerDiscreteScheduler"}, {"use_karras_sigmas", true}});
  refused({{"_class_name", "EulerDiscreteScheduler"}, {"beta_schedule", "sigmoid"}});
  refused({{"_class_name", "DPMSolverMultistepScheduler"}, {"solver_order", 3}});
  refused({{"_class_name", "DPMSolverMultistepScheduler"}, {"prediction_type", "flow_prediction"}});
  refused({{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"use_dynamic_shifting", true}});
  const Json lcm = {{"_class_name", "LCMScheduler"}};
  EXPECT_THROW(Schedule(scheduler_from_json(lcm).schedule).levels(51), Error);
}

TEST(TorchRng, RandnOfPyTorch) {
  const Json file = saved("torch_randn.json");
  for (const Json& row : file.at("rows")) {
    TorchRng rng(row.at("seed").get<std::uint64_t>());
    if (!row.contains("draws")) {
      std::vector<float> out(row.at("size").get<std::size_t>());
      rng.randn(out);
      double sum = 0;
      for (const float v : out) sum += v;
      EXPECT_NEAR(sum, row.at("sum").get<double>(), 1e-3);
      const auto ends = row.at("ends").get<std::vector<float>>();
      for (std::size_t k = 0; k < 4; ++k) {
        EXPECT_NEAR(out[k], ends[k], 1e-6);
        EXPECT_NEAR(out[out.size() - 4 + k], ends[4 + k], 1e-6);
      }
      continue;
    }
    for (const Json& draw : row.at("draws")) {
      const auto wanted = draw.get<std::vector<float>>();
      std::vector<float> out(wanted.size());
      rng.randn(out);
      for (std::size_t k = 0; k < out.size(); ++k) {
        EXPECT_NEAR(out[k], wanted[k], 1e-6 * std::max(1.0F, std::abs(wanted[k])))
            << "seed " << row.at("seed") << ", element " << k << " of " << out.size();
      }
    }
  }
}

}  // namespace
}  // namespace thimble::diffusion
