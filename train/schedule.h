// Which optimiser, and learning-rate schedules as functions of the part of the budget that is used up, so that a run
// may be limited by steps or by minutes.
#pragma once

#include <cstdint>
#include <string_view>

namespace thimble::train {

enum class OptimiserKind {
  adamw,
  muon,  // for matrices, AdamW for vectors, embeddings and thin matrices
};
// "adamw" or "muon"; bad_input otherwise.
OptimiserKind optimiser_from_string(std::string_view name);

enum class ScheduleKind {
  constant,
  cosine,   // down to 2 % of the peak
  plateau,  // constant, then straight down to 2 % over the last quarter
};
// "constant", "cosine" or "plateau"; bad_input otherwise.
ScheduleKind schedule_from_string(std::string_view name);

struct Schedule {
  ScheduleKind kind = ScheduleKind::plateau;
  double peak = 1e-3;
  std::int64_t warmup = 200;  // steps of the optimiser, rising in a straight line
  // used: part of the budget spent, in [0, 1].
  double at(std::int64_t optimiser_steps, double used) const;
};

}  // namespace thimble::train
