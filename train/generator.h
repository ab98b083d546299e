// Recipe: trains the text-to-picture generator on cached latents (train/latents.h): text encoder and diffusion
// transformer together, as a rectified flow (Liu et al. 2022). No LibTorch in this header.
//
// x_t = (1 - t) x + t noise; the network predicts noise - x; t is logit-normal (Esser et al. 2024) with a shift. Some
// captions are empty, for classifier-free guidance.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "graph/executor.h"
#include "graph/weights.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "train/loop.h"
#include "train/schedule.h"

namespace thimble::train {

struct GeneratorTraining {
  std::filesystem::path data, latents, tokenizer;  // emoji.pack, latent cache, JSON
  std::filesystem::path autoencoder;               // checkpoint or run folder; for the pictures of samples.png
  LoopOptions loop;
  models::TextEncoderConfig text;
  models::DitConfig denoiser;  // latent_channels, grid and text_width follow from the others
  std::vector<int> text_buckets{16, 32, 64};
  bool resume = false;
  std::filesystem::path weights;  // start from this checkpoint's weights with a fresh optimiser
  int batch = 128;
  double empty_captions = 0.1;
  double reworded = 0.5;   // part of the captions said in other words (data/emoji/rewordings.h)
  double on_colour = 0.3;  // part of the pictures that lies on a colour, which the caption says
  double shift = 1;        // of training times; above 1: noisier
  Schedule schedule{ScheduleKind::plateau, 1e-3, 500};
  double weight_decay = 0.01;
  OptimiserKind optimiser = OptimiserKind::adamw;
  double ema = 0.9995;
  std::uint64_t seed = 1;
  graph::Precision precision = graph::Precision::bf16;
  std::string device = "cpu";
  int threads = 0;
  int sample_steps = 20;
  double guidance = 3;
};

// Leaves checkpoints, log.csv (loss in all and by quarter of t), validation.csv (the averaged weights' loss on fixed
// noise), model.safetensors and samples.png in the run folder.
LoopResult train_generator(const GeneratorTraining& options, const ProgressFn& progress, const CancelToken& cancel);

struct TrainedGenerator {
  models::TextEncoderConfig text;
  models::DitConfig denoiser;
  std::vector<int> text_buckets;
  graph::Weights weights;  // averaged; names start with "text." and "dit."
  std::int64_t step = 0;
  double minutes = 0;
};
// A checkpoint file, or a run folder (its newest).
TrainedGenerator load_generator(const std::filesystem::path& checkpoint);

}  // namespace thimble::train
