#include "cli/device/published_options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <filesystem>

#include "base/error.h"

namespace thimble::cli {
namespace {

constexpr const char* kGroup = "Options of published models";

}  // namespace

void add_model_options(CLI::App& c, PublishedExtras& e) {
  c.add_option("--negative", e.negative, "what the picture should not show")->group(kGroup);
  c.add_option("--width", e.width, "pixels (default: the model's, or the picture's aspect at its area)")->group(kGroup);
  c.add_option("--height", e.height, "pixels")->group(kGroup);
  add_quantize_options(c, e.quantize);
  for (const char* name : {"--bits", "--activations", "--group"}) c.get_option(name)->group(kGroup);
  c.add_option("--lora", e.loras, "FILE[:SCALE], a LoRA, merged, or beside the layers with --bits; again for more")
      ->group(kGroup);
  c.add_option("--embedding", e.embeddings, "FILE[=WORD], a textual inversion and its word in prompts")->group(kGroup);
  c.add_option("--variant", e.variant, "of the weight files: fp16")->group(kGroup);
  c.add_option("--tiny-autoencoder", e.tiny_autoencoder, "folder of a tiny autoencoder to decode with")->group(kGroup);
  c.add_option("--tokenizer", e.tokenizers, "NAME=PATH: vocabulary for a single file, which has none")->group(kGroup);
  c.add_option("--rng", e.rng, "thimble, or torch: the noise that PyTorch's CPU generator gives")->group(kGroup);
  c.add_option("--max-memory", e.max_memory, "6G, 800M ...: no part plans with more; what cannot fit is refused")
      ->group(kGroup);
  c.add_option("--preview", e.preview, "picture (.png) of the first one on the way, written anew after each step")
      ->group(kGroup);
  c.add_option("--preview-every", e.preview_every, "steps from one preview to the next")
      ->capture_default_str()
      ->group(kGroup);
  c.add_option("--preview-autoencoder", e.preview_autoencoder,
               "folder of a tiny autoencoder for previews (default: a linear map, a pixel for each latent cell)")
      ->group(kGroup);
}

void add_published_options(CLI::App& c, PublishedExtras& e) {
  c.add_option("--image", e.image, "picture to start from, to inpaint or to edit")->group(kGroup);
  c.add_option("--mask", e.mask, "bright where --image is painted anew")->group(kGroup);
  c.add_option("--strength", e.strength, "0 to 1: how far --image is taken back into noise")->group(kGroup);
  c.add_option("--image-guidance", e.image_guidance, "how strictly an edit keeps the picture")->group(kGroup);
  add_model_options(c, e);
}

void refuse_published_options(const PublishedExtras& e) {
  const std::pair<const char*, bool> given[] = {{"--negative", e.negative.has_value()},
                                                {"--image", !e.image.empty()},
                                                {"--mask", !e.mask.empty()},
                                                {"--strength", e.strength.has_value()},
                                                {"--image-guidance", e.image_guidance.has_value()},
                                                {"--width", e.width.has_value()},
                                                {"--height", e.height.has_value()},
                                                {"--lora", !e.loras.empty()},
                                                {"--embedding", !e.embeddings.empty()},
                                                {"--variant", !e.variant.empty()},
                                                {"--tiny-autoencoder", !e.tiny_autoencoder.empty()},
                                                {"--tokenizer", !e.tokenizers.empty()},
                                                {"--rng", !e.rng.empty()},
                                                {"--bits", e.quantize.bits != 0},
                                                {"--max-memory", !e.max_memory.empty()},
                                                {"--preview", !e.preview.empty()},
                                                {"--preview-autoencoder", !e.preview_autoencoder.empty()}};
  for (const auto& [name, there] : given) {
    if (there) {
      fail(ErrorKind::bad_input, "{} is for published models; say which with --model DIRECTORY (thimble models)", name);
    }
  }
}

diffusion::LoraChoice parse_lora(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text)) return {text};
  double scale = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, scale);
  if (error != std::errc() || stop != end || colon == 0) {
    fail(ErrorKind::bad_input, "--lora takes FILE or FILE:SCALE, '{}' came; try style.safetensors:0.8", text);
  }
  return {text.substr(0, colon), scale};
}

diffusion::PublishedModelOptions model_options(const PublishedExtras& e) {
  diffusion::PublishedModelOptions o;
  o.variant = e.variant;
  o.autoencoder = e.tiny_autoencoder;
  o.preview_autoencoder = e.preview_autoencoder;
  if (!e.preview_autoencoder.empty() && e.preview.empty()) {
    fail(ErrorKind::bad_input, "--preview-autoencoder is for previews; say where they go with --preview FILE");
  }
  for (const std::string& text : e.loras) o.loras.push_back(parse_lora(text));
  for (const std::string& text : e.embeddings) {
    const auto equals = std::filesystem::exists(text) ? std::string::npos : text.rfind('=');
    o.embeddings.push_back({text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)});
  }
  for (const std::string& pair : e.tokenizers) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(ErrorKind::bad_input, "--tokenizer takes NAME=PATH, '{}' came; try tokenizer=vocab/merges.txt", pair);
    }
    o.tokenizers[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return o;
}

diffusion::NoiseGenerator generator_of(const std::string& name) {
  if (name.empty() || name == "thimble") return diffusion::NoiseGenerator::thimble;
  if (name == "torch") return diffusion::NoiseGenerator::torch;
  fail(ErrorKind::bad_input, "--rng is thimble or torch, '{}' came", name);
}

std::size_t parse_bytes(const std::string& text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(stop, text.data() + text.size());
  while (unit.starts_with(' ')) unit.erase(0, 1);
  for (char& c : unit) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  for (const auto& [letter, power] : {std::pair{"K", 1}, {"M", 2}, {"G", 3}, {"T", 4}}) {
    const std::string l(letter);
    if (unit == l || unit == l + "B") factor = std::pow(1000.0, power);
    if (unit == l + "IB") factor = std::pow(1024.0, power);
  }
  if (error != std::errc() || factor == 0 || !(value > 0) || value * factor > 1e15) {
    fail(ErrorKind::bad_input, "'{}' is no amount of memory; 800M, 6G or 4GiB were wanted", text);
  }
  return static_cast<std::size_t>(value * factor);
}

}  // namespace thimble::cli
