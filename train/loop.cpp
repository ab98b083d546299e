#include "train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "plot/chart.h"

namespace thimble::train {
namespace {

using Clock = std::chrono::steady_clock;

double minutes_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count() / 60; }

// Means of the values of several steps; the names are those of the first step.
class Means {
 public:
  void add(const Values& values) {
    if (sums_.empty()) {
      sums_ = values;
    } else {
      for (std::size_t i = 0; i < std::min(sums_.size(), values.size()); ++i) sums_[i].second += values[i].second;
    }
    ++count_;
  }
  Values take() {
    for (auto& [name, sum] : sums_) sum /= static_cast<double>(count_);
    count_ = 0;
    return std::exchange(sums_, {});
  }

 private:
  Values sums_;
  std::int64_t count_ = 0;
};

// The first column that is a measure, over steps.
void draw_chart(const CsvLog& log, const std::filesystem::path& path) {
  constexpr std::size_t kStep = 0, kMeasure = 2;
  if (log.rows().size() < 2) return;
  plot::LineChart chart;
  chart.title = chart.y_label = log.columns()[kMeasure];
  chart.x_label = "step";
  chart.log_y = chart.title.starts_with("loss");
  plot::Series series{.name = chart.title, .x = {}, .y = {}};
  for (const auto& row : log.rows()) {
    series.x.push_back(row[kStep]);
    series.y.push_back(row[kMeasure]);
  }
  chart.series.push_back(std::move(series));
  chart.write_png(path);
}

}  // namespace

LoopResult run_loop(const LoopOptions& options, const LoopHooks& hooks, std::int64_t step, double minutes,
                    const ProgressFn& progress, const CancelToken& cancel) {
  if (options.steps <= 0 && options.minutes <= 0)
    fail(ErrorKind::bad_input, "training needs a limit: steps or minutes");
  std::filesystem::create_directories(options.run_dir);
  CsvLog log(options.run_dir / "log.csv", step), validation(options.run_dir / "validation.csv", step);
  const double before = minutes;
  const auto start = Clock::now();
  auto saved = start, sampled = start, logged = start;
  std::int64_t logged_step = step, saved_step = -1;
  Means means;
  const auto used = [&] {
    const double by_steps = options.steps > 0 ? static_cast<double>(step) / static_cast<double>(options.steps) : 0;
    return std::clamp(std::max(by_steps, options.minutes > 0 ? minutes / options.minutes : 0), 0.0, 1.0);
  };
  const auto save = [&] {
    if (saved_step != step) hooks.save(step, minutes);
    saved_step = step;
    saved = Clock::now();
  };
  const auto charts = [&] {
    draw_chart(log, options.run_dir / "loss.png");
    draw_chart(validation, options.run_dir / "validation.png");
  };
  while (!cancel.cancelled() && used() < 1) {
    means.add(hooks.train(step, used()));
    ++step;
    minutes = before + minutes_since(start);
    if (step % options.log_every == 0) {
      Values row = means.take();
      row.emplace_back("steps_per_second", static_cast<double>(step - logged_step) / (minutes_since(logged) * 60));
      logged = Clock::now();
      logged_step = step;
      log.add(step, minutes, row);
      if (progress) {
        const std::string note =
            row.empty() ? "" : fmt::format("{} {:.4g}, {:.3g} steps/s", row[0].first, row[0].second, row.back().second);
        progress(static_cast<std::int64_t>(used() * 10000), 10000, fmt::format("step {} {}", step, note));
      }
    }
    const bool sample = hooks.sample && options.sample_minutes > 0 && minutes_since(sampled) >= options.sample_minutes;
    if (sample || minutes_since(saved) >= options.checkpoint_minutes) save();
    if (sample) {
      validation.add(step, minutes, hooks.sample(step));
      charts();
      sampled = logged = Clock::now();
      logged_step = step;
    }
  }
  save();
  if (hooks.sample && !cancel.cancelled()) validation.add(step, minutes, hooks.sample(step));
  charts();
  return {step, minutes, cancel.cancelled()};
}

}  // namespace thimble::train
