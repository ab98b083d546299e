// Rows of models/classes.h: text encoders.
#include <array>

#include "models/classes.h"
#include "models/clip_text.h"
#include "models/gemma_text.h"
#include "models/t5_text.h"

namespace thimble::models {
namespace {

graph::Graph build_clip(const Json& config, const BuildSize& size) {
  return build_clip_text(clip_text_from_json(config), false, size.batch, size.tokens);
}

graph::Graph build_clip_projected(const Json& config, const BuildSize& size) {
  return build_clip_text(clip_text_from_json(config), true, size.batch, size.tokens);
}

graph::Graph build_t5(const Json& config, const BuildSize& size) {
  return build_t5_text(t5_text_from_json(config), size.batch, size.tokens);
}

graph::Graph build_gemma(const Json& config, const BuildSize& size) {
  return build_gemma_text(gemma_text_from_json(config), size.batch, size.tokens);
}

constexpr std::array kClasses{
    NetworkClass{"CLIPTextModel", Role::text, build_clip},
    NetworkClass{"CLIPTextModelWithProjection", Role::text, build_clip_projected},
    NetworkClass{"T5EncoderModel", Role::text, build_t5},
    NetworkClass{"Gemma2Model", Role::text, build_gemma},
};

}  // namespace

std::span<const NetworkClass> text_classes() { return kClasses; }

}  // namespace thimble::models
