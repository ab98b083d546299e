// How long the parts of a published model of the true size take on this machine, one after another as a pipeline runs
// them, with random weights: drawn, packed, run, released. Not here: whole pictures (diffusion/published).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "graph/executor.h"
#include "models/catalogue.h"
#include "passes/quantize.h"

namespace thimble::api {

struct ModelBenchOptions {
  int pixels = 0;                                        // per side; 0: the model's first size
  graph::Precision precision = graph::Precision::f32;    // of the products
  DType stored = DType::bf16;                            // of the weights before they are packed
  std::optional<passes::QuantizeOptions> quantize = {};  // every network as passes/quantize.h would make it
  std::string part = {};  // only this one, as the catalogue calls it; empty: all but tiny ones
  int warmup = 0, runs = 1;
};

struct PartTiming {
  std::string part;   // "text", "denoiser", "vae decoder"
  int quantized = 0;  // layers
  std::int64_t parameters = 0;
  int rows = 1;               // of the batch: a step with its guidance, a prompt and its negative one
  double flops = 0;           // of one run
  double draw = 0, load = 0;  // seconds: making the weights; packing and planning
  double once = 0;            // what a denoiser does once for a prompt
  std::vector<double> runs;   // seconds of each
  std::size_t stored_bytes = 0;
  graph::MemoryReport memory;
  std::size_t resident_peak = 0;  // bytes of the process while the part was there; 0 where the system does not say
  bool finite = true;             // all outputs are numbers
};

// `done` is called after each part. bad_input for a size or part that the model does not have.
std::vector<PartTiming> bench_model(const models::CatalogueModel& model, const ModelBenchOptions& options,
                                    graph::Executor& executor, const std::function<void(const PartTiming&)>& done = {},
                                    const CancelToken* cancel = nullptr);

}  // namespace thimble::api
