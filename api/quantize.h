// Post-training quantisation of a whole Thimble model: chooses layers, finds scales, writes the file, and judges it
// against the original, layer by layer and over whole runs. The file holds int8 numbers or pairs of int4 beside f32
// scales, as the kernels' packing reads them: opening it converts nothing.
//
//   const auto report = api::quantize_model({.output = "small.safetensors", .format = {.bits = 4, .group = 64}});
//
// All runs of the judge are on this device, in f32, so that what is measured is the quantisation.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "api/engine.h"
#include "base/json.h"
#include "passes/quantize.h"

namespace thimble::api {

struct QuantizeModelOptions {
  EngineOptions engine;  // model, threads, isa; the precision is not read
  std::filesystem::path output;
  passes::QuantizeOptions format;
  bool search = false;  // clipped ranges, weighted by calibration runs of the prompts
  std::vector<std::string> prompts{"a smiling cat", "a red apple", "a house with a garden"};  // to calibrate and judge
  std::uint64_t seed = 1;      // of the first picture, then counted up; of outliers too
  int steps = 0;               // of each run; 0: the model's
  double outlier_share = 0;    // of the inputs of each quantised layer, 0..1; they are multiplied by outlier_factor in
  double outlier_factor = 20;  // the original too, which then is no useful model but an honest test
};

// How near two lists of numbers are: cosine of the angle, and |got - wanted| / |wanted|.
struct Nearness {
  double cosine = 1, error = 0;
};

struct QuantizedLayerReport {
  std::string part;
  passes::QuantizedLayer layer;
  std::string reason;    // why it has more bits than were asked for, if it has
  Nearness weight;       // against the weights before
  Nearness alone;        // its outputs on the original's inputs
  Nearness in_sequence;  // its outputs with all layers before it quantised too
  bool seen = false;     // the last two were measured: a run came through it
};

struct KeptLayerReport {
  std::string part, weight, reason;
};

struct QuantizeReport {
  std::vector<QuantizedLayerReport> layers;
  std::vector<KeptLayerReport> kept;
  Nearness latent;                                // at the end of the denoising runs
  double picture_psnr = 0;                        // of the pictures' bytes, colours times alpha
  std::size_t bytes_before = 0, bytes_after = 0;  // of the files
};

// Errors: those of Engine for the model; bad_input for options; io for the output. Nothing is left behind on failure.
QuantizeReport quantize_model(const QuantizeModelOptions& options, const ProgressFn& progress = {},
                              const CancelToken* cancel = nullptr);

Json to_json(const QuantizeReport& report);

}  // namespace thimble::api
