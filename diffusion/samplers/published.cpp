#include "diffusion/samplers/published.h"

#include <array>

#include "base/error.h"
#include "models/foreign_config.h"

namespace thimble::diffusion {
namespace {

using models::ForeignConfig;

// What is left out of a config means another value in each class.
struct ClassRow {
  std::string_view name, sampler;
  Grid grid;
  Spacing spacing;
  bool final_alpha_one;
};
constexpr std::array kSamplerClasses{
    ClassRow{"DDIMScheduler", "ddim", Grid::ddim, Spacing::leading, true},
    ClassRow{"PNDMScheduler", "pndm", Grid::ddim, Spacing::leading, false},
    ClassRow{"EulerDiscreteScheduler", "euler", Grid::euler, Spacing::linspace, true},
    ClassRow{"EulerAncestralDiscreteScheduler", "euler_ancestral", Grid::euler, Spacing::linspace, true},
    ClassRow{"DPMSolverMultistepScheduler", "dpmpp", Grid::dpm_solver, Spacing::linspace, true},
    ClassRow{"FlowMatchEulerDiscreteScheduler", "euler", Grid::flow_match, Spacing::linspace, true},
    ClassRow{"LCMScheduler", "lcm", Grid::lcm, Spacing::leading, true},
};

const ClassRow& row_of(std::string_view name) {
  std::string known;
  for (const ClassRow& row : kSamplerClasses) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::unsupported, "there is no sampler for the scheduler class '{}'; there are {}", name, known);
}

void refuse_variants(const ForeignConfig& r, const ClassRow& row) {
  for (const auto key :
       {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "rescale_betas_zero_snr",
        "thresholding", "use_dynamic_shifting", "invert_sigmas", "stochastic_sampling"}) {
    r.must_be(key, false);
  }
  if (r.has("trained_betas") || r.has("shift_terminal")) {
    fail(ErrorKind::unsupported, "{}: trained betas and a shifted end are not supported", row.name);
  }
  if (row.sampler == "dpmpp") {
    if (r.integer("solver_order", 2, 1, 3) != 2) fail(ErrorKind::unsupported, "{}: only order 2 is there", row.name);
    r.must_be("algorithm_type", "dpmsolver++");
    r.must_be("solver_type", "midpoint");
  }
  if (row.sampler == "dpmpp" || row.grid == Grid::euler) r.must_be("final_sigmas_type", "zero");
  if (row.grid == Grid::euler) {
    r.must_be("interpolation_type", "linear");
    r.must_be("timestep_type", "discrete");
  }
  const bool whole_start = row.sampler == "pndm" && !r.flag("skip_prk_steps", false);
  const bool clips =
      (row.sampler == "ddim" && r.flag("clip_sample", true)) || (row.sampler == "lcm" && r.flag("clip_sample", false));
  if (whole_start) fail(ErrorKind::unsupported, "{}: a Runge-Kutta start is not there (skip_prk_steps)", row.name);
  if (clips) fail(ErrorKind::unsupported, "{}: clipping to a range is not there (clip_sample)", row.name);
}

ScheduleKind kind_of(const ForeignConfig& r, bool lcm) {
  const std::string name = r.text("beta_schedule", lcm ? "scaled_linear" : "linear");
  if (name == "squaredcos_cap_v2") return ScheduleKind::cosine;
  if (name == "linear") return ScheduleKind::linear;
  if (name == "scaled_linear") return ScheduleKind::scaled_linear;
  fail(ErrorKind::unsupported, "scheduler config: the noise schedule '{}' is not there", name);
}

Prediction prediction_of(const std::string& name) {
  if (name == "epsilon") return Prediction::epsilon;
  if (name == "v_prediction") return Prediction::v;
  if (name == "flow_prediction") return Prediction::flow;
  fail(ErrorKind::unsupported, "scheduler config: a network that predicts '{}' is not supported", name);
}

#define SD_BETAS R"("beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", )"
#define PIXART_BETAS R"("beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", )"

constexpr std::array kFamilies{
    FamilyDefaults{"sd1.5",
                   R"({"_class_name": "PNDMScheduler", )" SD_BETAS
                   R"("skip_prk_steps": true, "set_alpha_to_one": false, "steps_offset": 1, "clip_sample": false})",
                   50, 7.5},
    FamilyDefaults{"instruct-pix2pix",
                   R"({"_class_name": "EulerAncestralDiscreteScheduler", )" SD_BETAS R"("steps_offset": 1})", 100, 7.5},
    FamilyDefaults{"sdxl",
                   R"({"_class_name": "EulerDiscreteScheduler", )" SD_BETAS
                   R"("timestep_spacing": "leading", "steps_offset": 1})",
                   50, 5.0},
    FamilyDefaults{"sdxl-turbo",
                   R"({"_class_name": "EulerAncestralDiscreteScheduler", )" SD_BETAS
                   R"("timestep_spacing": "trailing", "steps_offset": 1})",
                   1, 0.0},
    FamilyDefaults{"lcm",
                   R"({"_class_name": "LCMScheduler", )" SD_BETAS
                   R"("original_inference_steps": 50, "timestep_scaling": 10.0, "clip_sample": false})",
                   4, 8.5},
    FamilyDefaults{"pixart-sigma",
                   R"({"_class_name": "DPMSolverMultistepScheduler", )" PIXART_BETAS R"("solver_order": 2})", 20, 4.5},
    FamilyDefaults{"sana",
                   R"({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": true, "flow_shift": 3.0, )"
                   R"("prediction_type": "flow_prediction", "solver_order": 2})",
                   20, 4.5},
    FamilyDefaults{"sd3.5-medium", R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})", 40, 4.5},
    FamilyDefaults{"flux.1-schnell", R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0})", 4, 0.0},
};

#undef SD_BETAS
#undef PIXART_BETAS

}  // namespace

PublishedScheduler scheduler_from_json(const Json& config, std::string_view class_name) {
  const auto r = ForeignConfig::of_any_class(config, "scheduler config");
  const std::string name = class_name.empty() ? r.text("_class_name", "") : std::string(class_name);
  const ClassRow& row = row_of(name);
  refuse_variants(r, row);
  PublishedScheduler p;
  p.sampler = row.sampler;
  ScheduleConfig& s = p.schedule;
  s.grid = row.grid;
  s.single_precision = true;
  s.train_steps = r.integer("num_train_timesteps", 1000, 2, 100000);
  if (row.grid == Grid::flow_match || r.flag("use_flow_sigmas", false)) {
    if (row.grid != Grid::flow_match && row.grid != Grid::dpm_solver) {
      fail(ErrorKind::unsupported, "{}: a rectified flow is sampled by DPMSolverMultistep or FlowMatchEulerDiscrete",
           name);
    }
    s.kind = ScheduleKind::flow;
    s.shift = r.number(row.grid == Grid::flow_match ? "shift" : "flow_shift", 1, 1e-3, 1e3);
    s.time_scale = s.train_steps;
    if (row.grid == Grid::dpm_solver) r.must_be("prediction_type", "flow_prediction");
    p.options.prediction = Prediction::flow;
    return p;
  }
  const bool lcm = row.grid == Grid::lcm;
  s.kind = kind_of(r, lcm);
  s.beta_start = r.number("beta_start", lcm ? 0.00085 : 1e-4, 1e-9, 1);
  s.beta_end = r.number("beta_end", lcm ? 0.012 : 0.02, 1e-9, 1);
  s.spacing = spacing_from_string(r.text("timestep_spacing", std::string(to_string(row.spacing))));
  s.steps_offset = r.integer("steps_offset", 0, 0, 1);
  s.final_alpha_one = r.flag("set_alpha_to_one", row.final_alpha_one);
  s.distilled_steps = r.integer("original_inference_steps", 50, 1, s.train_steps);
  p.options.prediction = prediction_of(r.text("prediction_type", "epsilon"));
  if (p.options.prediction == Prediction::flow) {
    fail(ErrorKind::bad_file, "{}: flow is predicted, but use_flow_sigmas is not set", name);
  }
  p.options.noise_alone = s.spacing != Spacing::leading;
  p.options.lcm_timestep_scaling = r.number("timestep_scaling", 10, 1e-6, 1e6);
  return p;
}

std::span<const FamilyDefaults> family_defaults() { return kFamilies; }

const FamilyDefaults& family_defaults(std::string_view family) {
  std::string known;
  for (const FamilyDefaults& f : kFamilies) {
    if (f.family == family) return f;
    known += (known.empty() ? "" : ", ") + std::string(f.family);
  }
  fail(ErrorKind::bad_input, "there is no family '{}'; there are {}", family, known);
}

}  // namespace thimble::diffusion
