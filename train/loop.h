// The loop that all recipes share: limits by steps and minutes, rows of a CSV, checkpoints and samples by the clock,
// an orderly stop on cancellation. It knows neither LibTorch nor what is trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/cancel.h"
#include "base/progress.h"
#include "train/csv_log.h"

namespace thimble::train {

struct LoopOptions {
  std::filesystem::path run_dir;  // log.csv, validation.csv, and their first columns as loss.png and validation.png
  std::int64_t steps = 0;         // stop after this step; 0: no limit
  double minutes = 0;             // stop after these minutes of training, earlier runs counted in; 0: no limit
  double checkpoint_minutes = 3;
  double sample_minutes = 5;    // 0: never
  std::int64_t log_every = 20;  // steps a row; a row holds means
};

struct LoopHooks {
  // Trains step `step` (from 0); `used` is the part of the budget spent, in [0, 1]. Returns what to log.
  std::function<Values(std::int64_t step, double used)> train;
  // Saves; `step` steps are done.
  std::function<void(std::int64_t step, double minutes)> save;
  // Measures and draws, just after save(); the values go to validation.csv. May be empty.
  std::function<Values(std::int64_t step)> sample;
};

struct LoopResult {
  std::int64_t step = 0;
  double minutes = 0;
  bool cancelled = false;  // stopped by the token, after a checkpoint
};

// Goes on from `step` with `minutes` spent. Saves at the end in every case but an exception.
LoopResult run_loop(const LoopOptions& options, const LoopHooks& hooks, std::int64_t step, double minutes,
                    const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::train
