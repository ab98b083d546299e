// The baseline the autoencoder must beat: principal components with as many values a picture, fitted to training
// pictures, once over whole pictures and once over blocks the size of a latent cell. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <string>

#include "base/cancel.h"
#include "base/progress.h"
#include "train/autoencoder.h"

namespace thimble::train {

struct PcaOptions {
  std::filesystem::path data;     // emoji.pack
  int values = 2048;              // kept of a picture; a multiple of the blocks a picture has
  int block = 32;                 // pixels per side; divides 256
  int pictures = 3000;            // fitted to; whole pictures keep one value less than that at most
  int validation_pictures = 128;  // those of train_autoencoder's validation.csv
  int threads = 0;
};

struct PcaQuality {
  PictureQuality whole, blocks;  // of the validation pictures
  int pictures = 0;              // fitted to
};

// Takes about two times `pictures` MiB of memory and a few minutes of two cores at the defaults.
PcaQuality pca_baseline(const PcaOptions& options, const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::train
