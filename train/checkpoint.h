// Writes checkpoints and goes on from them (the files: train/checkpoint_file.h). A checkpoint is written whole or not
// at all and the last two are kept, so that a kill or a full disk at any moment leaves a valid one. Includes LibTorch.
#pragma once

#include <filesystem>
#include <optional>

#include "train/checkpoint_file.h"
#include "train/optimiser.h"

namespace thimble::train {

struct Trainee {
  Optimiser* optimiser;  // holds the masters, which are changed in place on loading
  Ema* ema;
};

// Returns the file; all but the newest two are removed.
std::filesystem::path save_checkpoint(const std::filesystem::path& run_dir, const Trainee& trainee,
                                      const RunState& state);

// One file; bad_file when it is damaged or its tensors do not fit. A file without moments (weights alone) leaves the
// optimiser fresh, so that it warms up again; one without an average starts it from the weights.
RunState load_checkpoint(const std::filesystem::path& path, const Trainee& trainee);

// The newest checkpoint of `run_dir` that is valid and fits; empty when there is none. Damaged files are passed over;
// when all are, the last error is thrown.
std::optional<RunState> resume(const std::filesystem::path& run_dir, const Trainee& trainee);

}  // namespace thimble::train
