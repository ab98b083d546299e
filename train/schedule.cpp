#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace thimble::train {

namespace {
constexpr double kFloor = 0.02, kDecayPart = 0.25;
}

OptimiserKind optimiser_from_string(std::string_view name) {
  if (name == "adamw") return OptimiserKind::adamw;
  if (name == "muon") return OptimiserKind::muon;
  fail(ErrorKind::bad_input, "optimiser '{}': adamw or muon was wanted", name);
}

ScheduleKind schedule_from_string(std::string_view name) {
  if (name == "constant") return ScheduleKind::constant;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "plateau") return ScheduleKind::plateau;
  fail(ErrorKind::bad_input, "schedule '{}' is not known; constant, cosine or plateau were wanted", name);
}

double Schedule::at(std::int64_t optimiser_steps, double used) const {
  used = std::clamp(used, 0.0, 1.0);
  double factor = 1;
  if (kind == ScheduleKind::cosine) factor = kFloor + (1 - kFloor) * 0.5 * (1 + std::cos(std::numbers::pi * used));
  if (kind == ScheduleKind::plateau) {
    const double into = std::max(0.0, used - (1 - kDecayPart)) / kDecayPart;
    factor = 1 - (1 - kFloor) * into;
  }
  const double warm = static_cast<double>(optimiser_steps + 1) / static_cast<double>(std::max<std::int64_t>(1, warmup));
  return peak * factor * std::min(1.0, warm);
}

}  // namespace thimble::train
