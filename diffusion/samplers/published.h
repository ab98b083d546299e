// From a published scheduler_config.json to Thimble's noise schedule and sampler, and the settings that the supported
// model families are published with.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/schedule.h"

namespace thimble::diffusion {

struct PublishedScheduler {
  ScheduleConfig schedule;  // grid and rounding are those of the class
  std::string sampler;
  SamplerOptions options;  // prediction, start, scalings; seed and noise are the caller's
};

// `class_name` replaces the "_class_name" of the config, as one scheduler is exchanged for another in diffusers: keys
// that the config has stay, those that it has not take the default of that class. bad_file, or unsupported for a class
// or a setting that no supported family uses.
// FLUX.1's pipeline counts its own levels: set schedule.grid to Grid::thimble there.
PublishedScheduler scheduler_from_json(const Json& config, std::string_view class_name = {});

struct FamilyDefaults {
  std::string_view family;  // "sd1.5"
  std::string_view config;  // its scheduler_config.json, to be parsed
  int steps;
  double guidance;
};
// The families of the project; bad_input naming them when `family` is none.
std::span<const FamilyDefaults> family_defaults();
const FamilyDefaults& family_defaults(std::string_view family);

}  // namespace thimble::diffusion
