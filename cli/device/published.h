// What `generate` and `edit` do with a published model: a diffusers directory or a single-file checkpoint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/device/output.h"
#include "cli/device/published_options.h"
#include "cli/device/run_options.h"

namespace thimble::cli {

struct PublishedJob {
  RunOptions run;
  OutputOptions output;
  std::vector<std::string> prompts;
  std::uint64_t seed = 1;
  int count = 1, batch = 1;  // count: pictures of each prompt
  std::optional<int> steps;
  std::optional<double> guidance;
  std::optional<std::string> sampler;
  double eta = 0;
  bool json = false;
  PublishedExtras extras;
  Json note = Json::object();  // of the picture that is repeated (note.h)
  bool model_named = true;
};

// Whether the path is a directory or a checkpoint of other programs, not a Thimble model. False when it is neither.
bool is_published(const std::string& model);

void generate_published(const PublishedJob& job);

}  // namespace thimble::cli
