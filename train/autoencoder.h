// Recipe: trains the emoji autoencoder (models/autoencoder.h) on a packed data set. No LibTorch in this header.
//
// Pictures are premultiplied RGBA in [-1, 1]; a part of them lies on a solid colour. Loss: train/picture_loss.h, a
// small pull of the latents towards zero, and noise on the latents relative to their spread, so that the decoder
// forgives the errors of a generator and the scale of the latents does not matter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "graph/executor.h"
#include "graph/weights.h"
#include "models/autoencoder.h"
#include "train/loop.h"
#include "train/picture_loss.h"
#include "train/schedule.h"

namespace thimble::train {

struct AutoencoderTraining {
  std::filesystem::path data;  // emoji.pack
  LoopOptions loop;
  models::AutoencoderConfig model;
  bool resume = false;            // go on from the run folder's newest checkpoint
  std::filesystem::path weights;  // or start from this checkpoint's weights with a fresh optimiser
  bool decoder_only = false;      // the encoder stays as its average is: cached latents stay valid
  int crop = 0;                   // side of random crops, a multiple of 32; 0: whole pictures
  int batch = 16;
  double on_colour = 0.3;  // part of the pictures that lies on a solid colour
  double noise = 0.1;      // largest noise, in standard deviations of the latents
  double pull = 1e-4;      // weight of mean(latent^2)
  PictureLossOptions loss;
  Schedule schedule{ScheduleKind::plateau, 1e-3, 200};
  OptimiserKind optimiser = OptimiserKind::adamw;
  double ema = 0.999;
  std::uint64_t seed = 1;
  graph::Precision precision = graph::Precision::bf16;
  std::string device = "cpu";
  int threads = 0;  // 0: all processors
  int validation_pictures = 128;
};

// Leaves checkpoints, log.csv, validation.csv (PSNR of the averaged weights) and reconstructions.png in the run folder.
LoopResult train_autoencoder(const AutoencoderTraining& options, const ProgressFn& progress, const CancelToken& cancel);

// A trained autoencoder as executors need it.
struct TrainedAutoencoder {
  models::AutoencoderConfig config;
  graph::Weights weights;  // averaged
};
// A checkpoint file, or a run folder (its newest).
TrainedAutoencoder load_autoencoder(const std::filesystem::path& checkpoint);

// Mean over pictures of the peak signal-to-noise ratio in dB, 8-bit peak, of pictures (premultiplied, [-1, 1]).
struct PictureQuality {
  double rgba = 0;      // premultiplied RGBA
  double on_white = 0;  // RGB over white
};
PictureQuality picture_quality(const std::vector<float>& output, const std::vector<float>& target, int pictures,
                               int side);

}  // namespace thimble::train
