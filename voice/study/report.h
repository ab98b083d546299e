// From trials to tables: every method's accuracy with intervals, paired differences to the one that is studied, by what
// the trials differ in. One JSON value holds all of it; text, CSV and plots are made of the same numbers.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "voice/study/trial.h"

namespace thimble::voice {

struct Judged {
  std::vector<int> counts;           // of devices
  std::vector<std::string> methods;  // the first is the one studied
  std::vector<Outcome> outcomes;     // (trial, count, method)

  const Outcome& at(std::size_t trial, std::size_t count, std::size_t method) const {
    return outcomes[(trial * counts.size() + count) * methods.size() + method];
  }
};

// Every method of voice/method.h, "facing" first.
std::vector<std::string> studied_methods();
// Neither the studied method, nor a part of it alone, nor the oracle.
bool is_baseline(std::string_view method);

Judged judge_all(std::span<const Trial> trials, std::vector<int> counts, std::vector<std::string> methods,
                 const Settings& settings, int threads, const ProgressFn& progress, const CancelToken& cancel);

// {"trials", "nobody_trials", "methods", "tables": [{"by", "devices", "group", "trials", "accuracy": {method:
// {"share", "low", "high"}}, "facing_minus": {method: {"difference", "low", "high", "wins", "losses", "p"}}}],
// "errors": [...], "nobody": [...], "aims": [...]}. Shares are of trials in which a device is faced.
OrderedJson summarise(std::span<const Trial> trials, const Judged& judged);

std::string text_tables(const OrderedJson& summary);
std::string csv_of(std::span<const Trial> trials, const Judged& judged);
// accuracy-devices, accuracy-rt60 and accuracy-snr as .png and .svg.
void write_plots(const std::filesystem::path& folder, const OrderedJson& summary);

}  // namespace thimble::voice
