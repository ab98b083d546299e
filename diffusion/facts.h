// What a text-to-picture model says of itself beside its networks: the `pipeline` object of a Thimble model's header.
// Pipelines ask these facts, never which model it is.
//
// {"prediction": "flow", "schedule": {"kind": "flow", "shift": 1.0}, "image_size": 256,
//  "latent_shift": [0.0], "latent_scale": [1.0], "text_buckets": [16, 32, 64],
//  "sampler": "heun", "steps": 12, "guidance": 3.0, "guidance_interval": [0, 1], "guidance_rescale": 0}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "diffusion/schedule.h"

namespace thimble::diffusion {

// Names of the parts of a text-to-picture model. The autoencoder's part holds encoder and decoder.
inline constexpr const char* kTextPart = "text";
inline constexpr const char* kDenoiserPart = "denoiser";
inline constexpr const char* kAutoencoderPart = "autoencoder";

struct Facts {
  Prediction prediction = Prediction::flow;
  ScheduleConfig schedule;
  int image_size = 256;
  // The denoiser's latent is (autoencoder's latent - shift) * scale; one value, or one per channel.
  std::vector<float> latent_shift{0}, latent_scale{1};
  // Token counts that prompts are padded to, ascending; the last is the longest prompt, begin and end included.
  std::vector<int> text_buckets{16, 32, 64};
  // What generate takes when it is not told otherwise.
  std::string sampler = "heun";
  int steps = 12;
  double guidance = 3;                         // 1: none
  double guidance_low = 0, guidance_high = 1;  // guided where Schedule::fraction is within
  double guidance_rescale = 0;
  bool operator==(const Facts&) const = default;
};

Json to_json(const Facts& facts);
// Only "prediction" and "image_size" are required. bad_file, naming `what`, when a value is missing or absurd.
Facts facts_from_json(const Json& json, std::string_view what);

}  // namespace thimble::diffusion
