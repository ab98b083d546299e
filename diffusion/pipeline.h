// From text to pictures, on any executor: prompts are encoded once, the sampler calls the denoiser step by step, the
// decoder makes the picture. Programs are compiled when first needed and kept, one for each batch and text bucket.
// Not here: choosing an executor and a file (api/engine.h), writing pictures.
//
//   Pipeline pipeline(model, *executor, {.precision = graph::Precision::bf16});
//   const auto pictures = pipeline.generate({{{"a smiling cat", 7}}}, {.steps = 12});
//
// The same seed gives the same picture on every executor within its tolerance, for any thread count, batch and number
// of other pictures in the call.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "diffusion/model.h"
#include "graph/executor.h"
#include "media/image.h"

namespace thimble::diffusion {

struct Request {
  std::string prompt;  // may be empty: a picture of whatever the model knows
  std::uint64_t seed = 0;
};

// What is absent comes from the model's facts.
struct GenerateOptions {
  std::optional<int> steps = {};  // 1..1000
  std::optional<std::string> sampler = {};
  std::optional<double> guidance = {};                                                 // 0..1000; 1: none
  std::optional<double> guidance_low = {}, guidance_high = {}, guidance_rescale = {};  // 0..1
  double eta = 0;                                                                      // 0..1, ddim
  int batch = 1;  // pictures that run together, 1..64: more is faster and takes more memory
};

struct Timings {       // seconds
  double compile = 0;  // of this call; programs that were there already cost nothing
  double text = 0;
  double sample = 0;  // all steps of all pictures
  double decode = 0;
  std::vector<double> calls;  // each run of the denoiser, guidance and sampler included
};

struct Generated {
  std::vector<media::Image> images;  // as the requests
  std::vector<std::size_t> dropped;  // per request: prompt tokens that did not fit
  Timings timings;
  int steps = 0;  // the settings that were used
  double guidance = 1;
  std::string sampler;
};

struct PipelineOptions {
  graph::Precision precision = graph::Precision::f32;
};

class Pipeline {
 public:
  // Both are kept by reference.
  Pipeline(const Model& model, graph::Executor& executor, const PipelineOptions& options);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // `progress` counts runs of the denoiser over all pictures. Cancelling throws `cancelled`; options and prompts that
  // are no good throw bad_input before anything is compiled.
  Generated generate(std::span<const Request> requests, const GenerateOptions& options, const ProgressFn& progress = {},
                     const CancelToken* cancel = nullptr);

  // One batch of pictures (B, H, W, C) in [-1, 1], premultiplied, to the denoiser's latents and back.
  std::vector<float> encode(std::span<const float> pictures, int batch);
  std::vector<float> decode(std::span<const float> latents, int batch);

  // Bytes of all programs compiled so far; shared weights are counted once.
  graph::MemoryReport memory() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thimble::diffusion
