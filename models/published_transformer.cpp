#include "models/published_transformer.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace thimble::models {
namespace {

void want_pixels(std::string_view model, int pixels, std::initializer_list<int> known) {
  if (std::ranges::count(known, pixels) == 0) {
    fail(ErrorKind::bad_input, "{} was published for {} pixels a side, {} came", model, fmt::join(known, ", "), pixels);
  }
}

SanaConfig sana(int heads, int cross_heads, int cross_head_dim, int layers, int pixels) {
  constexpr int kPixelsPerCell = 32;
  SanaConfig c;
  c.heads = heads;
  c.cross_heads = cross_heads;
  c.cross_head_dim = cross_head_dim;
  c.layers = layers;
  c.sample_size = pixels / kPixelsPerCell;
  return c;
}

SanaConfig with_qk_norm(SanaConfig c) {
  c.qk_norm = true;
  return c;
}

SanaConfig sprint(SanaConfig c) {
  c.guidance_embeds = true;
  return with_qk_norm(std::move(c));
}

}  // namespace

PixArtConfig pixart_sigma(int pixels) {
  want_pixels("PixArt-Sigma", pixels, {512, 1024, 2048});
  PixArtConfig c;
  c.sample_size = pixels / 8;
  c.interpolation_scale = pixels / 512;
  return c;
}

Sd3Config sd3_medium() { return {}; }

Sd3Config sd35_medium() {
  Sd3Config c;
  c.position_side = 384;
  c.qk_norm = true;
  c.dual_layers.resize(13);
  std::iota(c.dual_layers.begin(), c.dual_layers.end(), 0);
  return c;
}

SanaConfig sana_0_6b(int pixels) {
  want_pixels("Sana 0.6B", pixels, {512, 1024});
  return sana(36, 16, 72, 28, pixels);
}

SanaConfig sana_1_6b(int pixels) {
  want_pixels("Sana 1.6B", pixels, {512, 1024});
  return sana(70, 20, 112, 20, pixels);
}

SanaConfig sana15_1_6b() { return with_qk_norm(sana_1_6b(1024)); }
SanaConfig sana15_4_8b() { return with_qk_norm(sana(70, 20, 112, 60, 1024)); }
SanaConfig sana_sprint_0_6b() { return sprint(sana_0_6b(1024)); }
SanaConfig sana_sprint_1_6b() { return sprint(sana_1_6b(1024)); }

FluxConfig flux_schnell() { return {}; }

FluxConfig flux_dev() {
  FluxConfig c;
  c.guidance_embeds = true;
  return c;
}

}  // namespace thimble::models
