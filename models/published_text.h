// The configs of the text encoders that published picture models come with. Numbers are those of their config.json.
#pragma once

#include "models/clip_text.h"
#include "models/gemma_text.h"
#include "models/t5_text.h"

namespace thimble::models {

ClipTextConfig clip_l();         // Stable Diffusion 1.5, XL and 3, InstructPix2Pix, FLUX.1
ClipTextConfig openclip_bigg();  // Stable Diffusion XL and 3
T5TextConfig t5_xxl();           // PixArt-Sigma, Stable Diffusion 3, FLUX.1
GemmaTextConfig gemma_2_2b();    // Sana

}  // namespace thimble::models
