// Joins what was trained into one Thimble model file (formats/thimble/model_file.h): averaged weights of text encoder
// and denoiser, autoencoder, tokenizer, facts. No LibTorch.
#pragma once

#include <filesystem>
#include <string>

#include "base/dtype.h"
#include "diffusion/facts.h"

namespace thimble::train {

struct ExportOptions {
  std::filesystem::path generator;    // checkpoint or run folder of the generator
  std::filesystem::path autoencoder;  // checkpoint or run folder of the autoencoder
  std::filesystem::path latents;      // the cache whose mean and spread the generator learned with
  std::filesystem::path tokenizer;    // JSON
  std::filesystem::path out;
  std::string name = "Thimble Emoji";
  std::string licence = "Apache-2.0";
  std::string description = "Text to 256x256 emoji with transparency";
  DType stored = DType::f16;  // of matrices and kernels; vectors stay f32
  diffusion::Facts facts;     // latent shift and scale are taken from the cache
};

void export_model(const ExportOptions& options);

}  // namespace thimble::train
