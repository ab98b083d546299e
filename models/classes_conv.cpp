// Rows of models/classes.h: UNets and autoencoders.
#include "models/classes.h"
#include "models/dc_autoencoder.h"
#include "models/kl_autoencoder.h"
#include "models/tiny_autoencoder.h"
#include "models/unet.h"

namespace thimble::models {
namespace {

// A row's function: the class's config read, then its graph built.
template <auto read, auto build>
graph::Graph built(const Json& config, const BuildSize& size) {
  return build(read(config), size);
}

constexpr NetworkClass kRows[] = {
    {"UNet2DConditionModel", Role::denoiser, built<unet_from_json, build_unet>},
    {"AutoencoderKL", Role::encoder, built<kl_autoencoder_from_json, build_kl_encoder>},
    {"AutoencoderKL", Role::decoder, built<kl_autoencoder_from_json, build_kl_decoder>},
    {"AutoencoderTiny", Role::encoder, built<tiny_autoencoder_from_json, build_tiny_encoder>},
    {"AutoencoderTiny", Role::decoder, built<tiny_autoencoder_from_json, build_tiny_decoder>},
    {"AutoencoderDC", Role::encoder, built<dc_autoencoder_from_json, build_dc_encoder>},
    {"AutoencoderDC", Role::decoder, built<dc_autoencoder_from_json, build_dc_decoder>},
};

}  // namespace

std::span<const NetworkClass> convolutional_classes() { return kRows; }

}  // namespace thimble::models
