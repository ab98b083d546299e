#include "models/catalogue.h"

#include "base/error.h"
#include "models/published_conv.h"
#include "models/published_text.h"
#include "models/published_transformer.h"

namespace thimble::models {
namespace {

constexpr const char *kOpenRail = "CreativeML Open RAIL-M", *kOpenRailPp = "CreativeML Open RAIL++-M",
                     *kStability = "Stability AI Community License", *kApache = "Apache-2.0",
                     *kNvidia = "NVIDIA, see the model card", *kFluxDev = "FLUX.1 [dev] Non-Commercial License";
// Tokens of a prompt.
constexpr int kClip = 77, kT5Sd3 = 256, kT5Flux = 256, kT5PixArt = 300, kGemma = 300;

CataloguePart conv_denoiser(std::string_view name, int tokens) {
  const PublishedNetwork& n = published_conv(name);
  return {"denoiser", std::string(n.class_name), {Role::denoiser}, n.config, tokens};
}

CataloguePart autoencoder(std::string_view name, std::string part = "vae") {
  const PublishedNetwork& n = published_conv(name);
  return {std::move(part), std::string(n.class_name), {Role::decoder, Role::encoder}, n.config};
}

CataloguePart transformer(const char* class_name, Json config, int tokens) {
  return {"denoiser", class_name, {Role::denoiser}, std::move(config), tokens};
}

CataloguePart clip_part(std::string name, const ClipTextConfig& config, bool projection) {
  return {std::move(name),
          projection ? "CLIPTextModelWithProjection" : "CLIPTextModel",
          {Role::text},
          to_json(config),
          kClip};
}
CataloguePart t5_part(std::string name, int tokens) {
  return {std::move(name), "T5EncoderModel", {Role::text}, to_json(t5_xxl()), tokens};
}
CataloguePart gemma_part() { return {"text", "Gemma2Model", {Role::text}, to_json(gemma_2_2b()), kGemma}; }

CatalogueModel stable_diffusion(std::string name, std::string title, const char* licence, std::string_view unet,
                                int guided_batch) {
  return {std::move(name),
          std::move(title),
          licence,
          {512, 1024},
          8,
          guided_batch,
          {conv_denoiser(unet, kClip), autoencoder("sd-vae"), clip_part("text", clip_l(), false),
           autoencoder("taesd", "tiny-vae")}};
}

CatalogueModel xl(std::string name, std::string title, const char* licence, std::string_view unet, int size,
                  int guided_batch) {
  return {std::move(name),
          std::move(title),
          licence,
          {size, size == 512 ? 1024 : 512},
          8,
          guided_batch,
          {conv_denoiser(unet, kClip), autoencoder("sdxl-vae"), clip_part("text", clip_l(), false),
           clip_part("text-2", openclip_bigg(), true), autoencoder("taesdxl", "tiny-vae")}};
}

CatalogueModel pixart(std::string name, std::string title, int size) {
  return {std::move(name),
          std::move(title),
          kOpenRailPp,
          {size},
          8,
          2,
          {transformer("PixArtTransformer2DModel", to_json(pixart_sigma(size)), kT5PixArt), autoencoder("sdxl-vae"),
           t5_part("text", kT5PixArt), autoencoder("taesdxl", "tiny-vae")}};
}

CatalogueModel sd3(std::string name, std::string title, const Sd3Config& config) {
  return {std::move(name),
          std::move(title),
          kStability,
          {1024, 512},
          8,
          2,
          {transformer("SD3Transformer2DModel", to_json(config), kClip + kT5Sd3), autoencoder("sd3-vae"),
           clip_part("text", clip_l(), true), clip_part("text-2", openclip_bigg(), true), t5_part("text-3", kT5Sd3),
           autoencoder("taesd3", "tiny-vae")}};
}

CatalogueModel sana(std::string name, std::string title, const SanaConfig& config, int size, int guided_batch = 2) {
  return {
      std::move(name),
      std::move(title),
      kNvidia,
      {size},
      32,
      guided_batch,
      {transformer("SanaTransformer2DModel", to_json(config), kGemma), autoencoder("dc-ae-f32c32-sana"), gemma_part()}};
}

CatalogueModel flux(std::string name, std::string title, const char* licence, const FluxConfig& config) {
  return {std::move(name),
          std::move(title),
          licence,
          {1024, 512},
          8,
          1,
          {transformer("FluxTransformer2DModel", to_json(config), kT5Flux), autoencoder("flux-vae"),
           clip_part("text", clip_l(), false), t5_part("text-2", kT5Flux), autoencoder("taef1", "tiny-vae")}};
}

}  // namespace

std::span<const CatalogueModel> catalogue() {
  static const std::vector<CatalogueModel> models{
      stable_diffusion("sd1.5", "Stable Diffusion 1.5", kOpenRail, "sd1.5", 2),
      stable_diffusion("sd1.5-inpainting", "Stable Diffusion 1.5 inpainting", kOpenRail, "sd1.5-inpainting", 2),
      stable_diffusion("lcm-sd1.5", "Latent Consistency Model of SD 1.5", kOpenRail, "lcm-sd1.5", 1),
      stable_diffusion("instruct-pix2pix", "InstructPix2Pix", "MIT", "instruct-pix2pix", 3),
      xl("sdxl", "Stable Diffusion XL base", kOpenRailPp, "sdxl", 1024, 2),
      xl("lcm-sdxl", "Latent Consistency Model of SDXL", kOpenRailPp, "lcm-sdxl", 1024, 1),
      xl("sdxl-turbo", "SDXL Turbo", kStability, "sdxl", 512, 1),
      pixart("pixart-sigma-512", "PixArt-Sigma 512", 512),
      pixart("pixart-sigma", "PixArt-Sigma 1024", 1024),
      pixart("pixart-sigma-2k", "PixArt-Sigma 2K", 2048),
      sd3("sd3-medium", "Stable Diffusion 3 Medium", sd3_medium()),
      sd3("sd3.5-medium", "Stable Diffusion 3.5 Medium", sd35_medium()),
      sana("sana-0.6b-512", "Sana 0.6B 512", sana_0_6b(512), 512),
      sana("sana-0.6b", "Sana 0.6B 1024", sana_0_6b(1024), 1024),
      sana("sana-1.6b-512", "Sana 1.6B 512", sana_1_6b(512), 512),
      sana("sana-1.6b", "Sana 1.6B 1024", sana_1_6b(1024), 1024),
      sana("sana-1.5-1.6b", "Sana 1.5 1.6B", sana15_1_6b(), 1024),
      sana("sana-1.5-4.8b", "Sana 1.5 4.8B", sana15_4_8b(), 1024),
      sana("sana-sprint-0.6b", "Sana Sprint 0.6B", sana_sprint_0_6b(), 1024, 1),
      sana("sana-sprint-1.6b", "Sana Sprint 1.6B", sana_sprint_1_6b(), 1024, 1),
      flux("flux.1-schnell", "FLUX.1 [schnell]", kApache, flux_schnell()),
      flux("flux.1-dev", "FLUX.1 [dev]", kFluxDev, flux_dev()),
  };
  return models;
}

const CatalogueModel* find_in_catalogue(std::string_view name) {
  for (const CatalogueModel& m : catalogue()) {
    if (m.name == name) return &m;
  }
  return nullptr;
}

graph::Graph build_catalogue_part(const CatalogueModel& model, const CataloguePart& part, Role role, int pixels,
                                  int batch) {
  // Transformers cut the latent into patches of 2 and the autoencoders know no part of a cell.
  const int unit = model.compression * 2;
  if (pixels < unit || pixels > 8192 || pixels % unit != 0) {
    fail(ErrorKind::bad_input, "{}: a size of {} pixels cannot be taken; a multiple of {} up to 8192 was wanted",
         model.name, pixels, unit);
  }
  const int side = role == Role::encoder ? pixels : pixels / model.compression;
  return build_network(part.class_name, role, part.config, {batch, side, side, part.tokens});
}

}  // namespace thimble::models
