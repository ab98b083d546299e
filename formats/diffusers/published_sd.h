// The configs and schedules that Stable Diffusion 1.5 and XL were published with, for single files, which carry none.
#pragma once

#include "base/json.h"

namespace thimble::formats {

struct PublishedSd {
  Json unet, vae, text_encoder, text_encoder_2;  // text_encoder_2 is null for 1.5
  Json scheduler;
  const char* scheduler_class;
};

PublishedSd published_sd15(int in_channels);
PublishedSd published_sdxl(int in_channels);

}  // namespace thimble::formats
