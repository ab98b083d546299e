// Options of `generate` and `edit` that only published models have, and their values as the library takes them.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/device/run_options.h"
#include "diffusion/published/published_pipeline.h"

namespace thimble::cli {

struct PublishedExtras {
  std::optional<std::string> negative;
  std::string image, mask, tiny_autoencoder, variant, rng, preview, preview_autoencoder, max_memory;
  std::vector<std::string> tokenizers;         // name=path
  std::vector<std::string> loras, embeddings;  // path[:scale], path[=word]
  std::optional<int> width, height;
  std::optional<double> strength, image_guidance;
  int preview_every = 1;
  QuantizeChoice quantize;
};

// Those that `generate` and `edit` share, then those of `generate` alone.
void add_model_options(CLI::App& command, PublishedExtras& extras);
void add_published_options(CLI::App& command, PublishedExtras& extras);

// bad_input, naming the first option that was given, since our own model has none of them.
void refuse_published_options(const PublishedExtras& extras);

diffusion::PublishedModelOptions model_options(const PublishedExtras& extras);  // bad_input
diffusion::NoiseGenerator generator_of(const std::string& name);                // bad_input

// "1500000000", "512M", "1.5G", "6 GB": powers of ten; "KiB", "MiB", "GiB": of two. bad_input for other texts.
std::size_t parse_bytes(const std::string& text);

// "style.safetensors:0.8": the file and its scale, 1 without one.
diffusion::LoraChoice parse_lora(const std::string& text);

}  // namespace thimble::cli
