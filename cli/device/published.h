// What `generate` and `edit` do with a published model: a diffusers directory or a single-file checkpoint.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/device/output.h"
#include "cli/device/run_options.h"

namespace thimble::cli {

// Options that our own model does not have.
struct PublishedExtras {
  std::optional<std::string> negative;
  std::string image, mask, tiny_autoencoder, variant, rng;
  std::vector<std::string> tokenizers;  // name=path
  std::optional<int> width, height;
  std::optional<double> strength, image_guidance;
};
void add_published_options(CLI::App& command, PublishedExtras& extras);

// bad_input, naming the first option that was given, since our own model has none of them.
void refuse_published_options(const PublishedExtras& extras);

struct PublishedJob {
  RunOptions run;
  OutputOptions output;
  std::string prompt;
  std::uint64_t seed = 1;
  int count = 1, batch = 1;
  std::optional<int> steps;
  std::optional<double> guidance;
  std::optional<std::string> sampler;
  double eta = 0;
  bool json = false;
  PublishedExtras extras;
};

// Whether the path is a directory or a checkpoint of other programs, not a Thimble model. False when it is neither.
bool is_published(const std::string& model);

void generate_published(const PublishedJob& job);

}  // namespace thimble::cli
