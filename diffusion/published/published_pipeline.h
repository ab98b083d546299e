// Published models at work: text to picture, picture to picture, inpainting, editing by instruction. Text encoders, the
// autoencoder's encoder, the denoiser and the decoder are compiled, used and released one after another, so that memory
// peaks at the largest of them. Not here: our own model's pipeline (diffusion/pipeline.h), LoRA files and embeddings,
// which change the model (adapters.h), how large pictures are decoded in tiles (decoding.h).
//
//   const auto model = PublishedModel::open("stable-diffusion-v1-5");
//   PublishedPipeline pipeline(model, *executor, {.precision = graph::Precision::bf16});
//   const auto made = pipeline.generate({{{.prompt = "a lighthouse", .seed = 7}}}, {.steps = 20});
//
// The same seed gives the same picture for any batch and number of other pictures in the call.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "diffusion/published/published_model.h"
#include "graph/executor.h"
#include "media/image.h"
#include "passes/quantize.h"

namespace thimble::diffusion {

struct PublishedRequest {
  std::string prompt;
  std::optional<std::string> negative_prompt = {};  // bad_input where nothing would read it
  std::uint64_t seed = 0;
  // Picture to start from, to inpaint or to edit; resized to the size that is made. Empty: none.
  media::Image image = {};
  media::Image mask = {};         // inpainting: bright (>= 128) is painted anew
  std::vector<float> noise = {};  // (h, w, latent channels) standard normals; replaces the seed's start
};

enum class NoiseGenerator {
  thimble,  // base/rng.h
  torch,    // PyTorch's CPU generator, in the order in which diffusers draws
};

// A picture on the way, of the call's first request: what the network takes it for after run `done` of `total`.
using PreviewFn = std::function<void(int done, int total, const media::Image& picture)>;

// What is absent comes from the model's facts.
struct PublishedOptions {
  // Pixels. Absent: the native side, or with a picture its aspect at no more than the native area.
  std::optional<int> width = {}, height = {};
  std::optional<int> steps = {};
  std::optional<std::string> sampler = {};    // a name of samplers()
  std::optional<double> guidance = {};        // 0..1000; up to 1: none
  std::optional<double> image_guidance = {};  // 0..1000; models that edit by instruction
  std::optional<double> strength = {};        // (0, 1]: how far the picture is taken back into noise
  double eta = 0;                             // 0..1, ddim
  NoiseGenerator generator = NoiseGenerator::thimble;
  int batch = 1;  // pictures that run together, 1..64
  // Bytes that a component may plan with; 0: no limit (budget.h).
  std::size_t max_memory = 0;
  PreviewFn preview = {};  // by the model's preview autoencoder, else by a linear map fitted to its own decoder
  int preview_every = 1;   // runs of the denoiser from one preview to the next
};

struct ComponentReport {
  std::string part;  // "text_encoder", "vae encoder", "unet", "vae decoder"
  double load = 0;   // seconds: mapping, packing, compiling
  double run = 0;
  graph::MemoryReport memory;
  std::size_t stored_bytes = 0;  // of the weights in their files; over `load`: the load's speed
};

struct PublishedResult {
  std::vector<media::Image> images;   // RGB, as the requests
  std::vector<std::string> warnings;  // prompts that were cut, with the words that were left out
  std::vector<ComponentReport> components;
  std::vector<double> calls;  // seconds of each run of the denoiser, sampler included
  int width = 0, height = 0, steps = 0;
  int batch = 1;              // pictures that ran together; fewer than asked for under a limit of memory
  bool passes_apart = false;  // the passes of guidance ran one after another, for the same reason
  int decode_tiles = 1;       // that each picture was decoded in
  double guidance = 0;
  std::string sampler;
};

struct PublishedPipelineOptions {
  graph::Precision precision = graph::Precision::f32;
  std::optional<passes::QuantizeOptions> quantize = {};  // of text encoders and denoiser, as they are read
  // What a graph would plan with on the executor, without weights (runtime/device.h: plan_report). With it a limit of
  // memory is settled before anything is read, and what cannot fit is refused; without it there are warnings.
  std::function<graph::MemoryReport(const graph::Graph&)> plan = {};
};

class PublishedPipeline {
 public:
  // Both are kept by reference.
  PublishedPipeline(const PublishedModel& model, graph::Executor& executor,
                    const PublishedPipelineOptions& options = {})
      : model_(model), executor_(executor), options_(options) {}

  // `progress` counts runs of the denoiser over all pictures. Cancelling throws `cancelled`. What cannot be done is
  // bad_input before anything is compiled.
  PublishedResult generate(std::span<const PublishedRequest> requests, const PublishedOptions& options = {},
                           const ProgressFn& progress = {}, const CancelToken* cancel = nullptr);

 private:
  const PublishedModel& model_;
  graph::Executor& executor_;
  PublishedPipelineOptions options_;
};

}  // namespace thimble::diffusion
