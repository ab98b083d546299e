// The configs of the published diffusion transformers. Numbers are those of their config.json.
#pragma once

#include "models/flux.h"
#include "models/pixart.h"
#include "models/sana.h"
#include "models/sd3.h"

namespace thimble::models {

PixArtConfig pixart_sigma(int pixels);  // 512, 1024 or 2048: the native side; bad_input for others
Sd3Config sd3_medium();
Sd3Config sd35_medium();
SanaConfig sana_0_6b(int pixels);  // 512 or 1024; bad_input for others
SanaConfig sana_1_6b(int pixels);
SanaConfig sana15_1_6b();  // 1024 pixels, as all below
SanaConfig sana15_4_8b();
SanaConfig sana_sprint_0_6b();
SanaConfig sana_sprint_1_6b();
FluxConfig flux_schnell();
FluxConfig flux_dev();

}  // namespace thimble::models
