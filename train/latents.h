// Every picture of the data set as the autoencoder's latents, in one file that the generator trains on from memory:
// each picture once transparent and some times on a solid colour that follows from its number. No LibTorch.
//
// safetensors: "latents" f16 (N, 1 + grounds, g, g, C), [:, 0] transparent; "ids" i32 (N); "grounds" i32 (N, grounds),
// indices into data::background_colours(); "mean" and "std" f32 (C) over the training split. Metadata: config.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/dtype.h"
#include "base/progress.h"
#include "formats/safetensors/safetensors.h"
#include "models/autoencoder.h"

namespace thimble::train {

struct LatentsOptions {
  std::filesystem::path data;         // emoji.pack
  std::filesystem::path autoencoder;  // checkpoint or run folder
  std::filesystem::path out;
  int grounds = 2;  // versions on a colour, 0..12
  int batch = 32;
  std::string device = "cpu";
  int threads = 0;
};

// Returns the number of pictures. Nothing is left behind when it is stopped.
std::size_t build_latents(const LatentsOptions& options, const ProgressFn& progress, const CancelToken& cancel);

class LatentCache {
 public:
  static LatentCache open(const std::filesystem::path& path);

  const models::AutoencoderConfig& config() const { return config_; }
  int grid() const { return grid_; }
  int channels() const { return config_.latent_channels; }
  int grounds() const { return grounds_; }
  std::size_t elements() const { return static_cast<std::size_t>(grid_ * grid_ * channels()); }
  std::span<const float> mean() const { return mean_; }
  std::span<const float> std() const { return std_; }

  bool contains(int id) const { return row(id) >= 0; }
  // version 0: transparent; 1..grounds(): on background_colours()[ground(id, version)].
  // Writes (latent - mean) / std.
  void read(int id, int version, std::span<float> out) const;
  int ground(int id, int version) const;

 private:
  int row(int id) const { return id < static_cast<int>(rows_.size()) ? rows_[static_cast<std::size_t>(id)] : -1; }
  models::AutoencoderConfig config_;
  int grid_ = 0, grounds_ = 0;
  std::vector<f16> latents_;
  std::vector<int> rows_;  // by id, -1: absent
  std::vector<std::int32_t> ground_;
  std::vector<float> mean_, std_;
};

}  // namespace thimble::train
