// Rows of models/classes.h: diffusion transformers.
#include "models/classes.h"
#include "models/flux.h"
#include "models/pixart.h"
#include "models/sana.h"
#include "models/sd3.h"

namespace thimble::models {
namespace {

template <auto from_json, auto build>
graph::Graph from_config(const Json& config, const BuildSize& size) {
  return build(from_json(config), size);
}

}  // namespace

std::span<const NetworkClass> transformer_classes() {
  static constexpr NetworkClass kRows[] = {
      {"PixArtTransformer2DModel", Role::denoiser, from_config<pixart_from_json, build_pixart>},
      {"SD3Transformer2DModel", Role::denoiser, from_config<sd3_from_json, build_sd3>},
      {"FluxTransformer2DModel", Role::denoiser, from_config<flux_from_json, build_flux>},
      {"SanaTransformer2DModel", Role::denoiser, from_config<sana_from_json, build_sana>},
  };
  return kRows;
}

}  // namespace thimble::models
