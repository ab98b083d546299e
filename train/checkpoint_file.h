// The files of checkpoints, read without LibTorch: one safetensors file with masters ("weights.<name>"), moving average
// ("ema.<name>") and Adam moments ("adam.first.<name>", "adam.second.<name>"); the run's state in its metadata.
// Writing and going on: train/checkpoint.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors/safetensors.h"
#include "graph/weights.h"

namespace thimble::train {

// What a checkpoint holds of a run; everything random in training derives from (seed, step), so the step is the
// position of the random numbers too.
struct RunState {
  std::int64_t step = 0;
  double minutes = 0;  // spent training
  Json facts;          // the recipe's own: configs, seed
};

inline constexpr const char* kCheckpointKey = "thimble_checkpoint";  // of the metadata

std::string weights_name(const std::string& parameter);
std::string average_name(const std::string& parameter);
std::string first_moment_name(const std::string& parameter);
std::string second_moment_name(const std::string& parameter);

// run_dir/checkpoint-<step>.safetensors
std::filesystem::path checkpoint_path(const std::filesystem::path& run_dir, std::int64_t step);
// Newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& run_dir);
// The newest of a run folder, or the file itself; `io` when there is none.
std::filesystem::path newest_checkpoint(const std::filesystem::path& file_or_run_dir);

// Empty object when the file was not written by training: weights alone.
Json checkpoint_json(const formats::SafetensorsFile& file);
RunState state_of(const formats::SafetensorsFile& file);

// A copy, so that it is aligned whatever the file.
graph::Tensor tensor_of(const formats::TensorInfo& info);

// The moving average (the weights where there is none), by parameter name, and the state.
struct TrainedWeights {
  graph::Weights weights;
  RunState state;
};
TrainedWeights read_trained(const std::filesystem::path& file_or_run_dir);

}  // namespace thimble::train
