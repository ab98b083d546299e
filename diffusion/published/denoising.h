// The steps from noise to latents, with the guidance that the model wants. Not here: what is sampled
// (diffusion/samplers), what came before (text_encoding.h, latent_start.h).
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "diffusion/published/latent_start.h"

namespace thimble::diffusion {

// What the denoiser reads of one picture's texts: with the prompt, and with the negative one where a pass reads it.
struct PictureText {
  const TextStates* prompt = nullptr;
  const TextStates* negative = nullptr;
};

// Inputs of denoisers that stay as they are over all steps of a picture.
const std::set<std::string>& steady_inputs();

// What the denoiser is built for to run `pictures` together.
models::BuildSize denoiser_size(const PublishedModel& model, const PublishedSettings& settings, std::size_t pictures);

struct DenoisingWatch {
  std::function<void()> on_call = {};  // after every run of the network
  // Of the call's first picture after run `done` of `total`: (h, w, c), what the network takes for the clean latent.
  std::function<void(int done, int total, std::span<const float> clean)> on_estimate = {};
};

// Latents (h, w, c) of each picture, as the denoiser has them.
std::vector<std::vector<float>> denoise(StageContext& stage, const PublishedSettings& settings,
                                        std::span<const PictureStart> starts, std::span<const PictureText> texts,
                                        const DenoisingWatch& watch);

}  // namespace thimble::diffusion
