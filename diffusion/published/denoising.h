// The steps from noise to latents, with the guidance that the model wants. Not here: what is sampled
// (diffusion/samplers), what came before (text_encoding.h, latent_start.h).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "diffusion/published/latent_start.h"

namespace thimble::diffusion {

// What the denoiser reads of one picture's texts: with the prompt, and with the negative one where a pass reads it.
struct PictureText {
  const TextStates* prompt = nullptr;
  const TextStates* negative = nullptr;
};

// Latents (h, w, c) of each picture, as the denoiser has them. `on_call` comes after every run of the network.
std::vector<std::vector<float>> denoise(StageContext& stage, const PublishedSettings& settings,
                                        std::span<const PictureStart> starts, std::span<const PictureText> texts,
                                        const std::function<void()>& on_call);

}  // namespace thimble::diffusion
