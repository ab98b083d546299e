// Checkpoints of training runs: one safetensors file with masters ("weights.<name>"), moving average ("ema.<name>") and
// Adam moments ("adam.first.<name>", "adam.second.<name>"); step, counters and the recipe's own facts in its metadata.
// Written whole or not at all; the last two are kept, so that a kill or a full disk at any moment leaves a valid one.
// Includes LibTorch.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/json.h"
#include "train/optimiser.h"

namespace thimble::train {

// What a checkpoint holds of a run; everything random in training derives from (seed, step), so the step is the
// position of the random numbers too.
struct RunState {
  std::int64_t step = 0;
  double minutes = 0;  // spent training
  Json facts;          // the recipe's own: configs, seed
};

struct Trainee {
  Parameters* parameters;  // masters, changed in place on loading
  AdamW* optimiser;
  Ema* ema;
};

// run_dir/checkpoint-<step>.safetensors; then removes all but the newest two.
std::filesystem::path save_checkpoint(const std::filesystem::path& run_dir, const Trainee& trainee,
                                      const RunState& state);

// Loads the newest checkpoint of `run_dir` that is valid and fits; empty when there is none. A file without moments
// (weights alone) leaves the optimiser fresh, so that it warms up again; one without an average starts it from the
// weights. Damaged files are passed over; when all are, the last error is thrown.
std::optional<RunState> resume(const std::filesystem::path& run_dir, const Trainee& trainee);

// One file; bad_file when it is damaged or its tensors do not fit.
RunState load_checkpoint(const std::filesystem::path& path, const Trainee& trainee);

// Newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& run_dir);

// The moving average of a checkpoint (or its weights when it has none) as a store for executors.
graph::Weights read_average(const std::filesystem::path& checkpoint);
RunState read_state(const std::filesystem::path& checkpoint);

}  // namespace thimble::train
