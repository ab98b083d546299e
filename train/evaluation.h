// Measures a text-to-picture model of emoji on any executor and draws what it makes: autoencoder quality, kernel and
// Frechet distance, text faithfulness, nearest training pictures, contact sheets. Every figure comes with what it was
// measured on. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "diffusion/pipeline.h"
#include "graph/executor.h"

namespace thimble::train {

struct EvaluationOptions {
  std::filesystem::path data;       // emoji.pack
  std::filesystem::path extractor;  // folder of SqueezeNet's ncnn files; empty: no distances
  std::filesystem::path scorer;     // scorer's model file; empty: no text faithfulness
  std::filesystem::path output;     // folder for sheets and evaluation.json
  int samples = 300;                // pictures for the distances and for retrieval, per kind
  int reference = 1500;             // training pictures the distances are taken to
  int autoencoder_pictures = 200;   // of the validation split
  int batch = 8;
  std::uint64_t seed = 1;
  diffusion::GenerateOptions generate;
};

// Writes PNG sheets and evaluation.json into `output` and returns the same JSON.
Json evaluate(const diffusion::Model& model, diffusion::Pipeline& pipeline, graph::Executor& executor,
              const EvaluationOptions& options, const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::train
