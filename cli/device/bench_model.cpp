// thimble bench NAME --random-weights: the parts of a published model at its true size.
#include "cli/device/bench_model.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"

namespace thimble::cli {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

double gb_per_second(const api::PartTiming& t) { return static_cast<double>(t.stored_bytes) / t.load / 1e9; }

OrderedJson json_of(const api::PartTiming& t) {
  return {{"part", t.part},
          {"parameters", t.parameters},
          {"rows", t.rows},
          {"quantized_layers", t.quantized},
          {"flops", t.flops},
          {"draw_seconds", t.draw},
          {"load_seconds", t.load},
          {"load_bytes", t.stored_bytes},
          {"load_gb_per_second", gb_per_second(t)},
          {"once_seconds", t.once},
          {"run_seconds", t.runs},
          {"gflop_per_second", t.flops / median(t.runs) / 1e9},
          {"weight_bytes", t.memory.weight_bytes},
          {"activation_bytes", t.memory.activation_bytes},
          {"planned_bytes", t.memory.peak_bytes()},
          {"resident_peak", t.resident_peak},
          {"finite", t.finite}};
}

}  // namespace

void bench_random_model(const std::string& name, api::ModelBenchOptions options, const RunOptions& run, bool json) {
  const models::CatalogueModel* model = models::find_in_catalogue(name);
  if (model == nullptr) {
    fail(ErrorKind::bad_input,
         "random weights are for published models by name, such as sd1.5; '{}' is none (see "
         "thimble models)",
         name);
  }
  options.precision = run.chosen_precision();
  const auto executor = runtime::make_device_executor(run.device());
  const int pixels = options.pixels > 0 ? options.pixels : model->sizes.front();
  const auto precision = graph::to_string(options.precision);
  bool titled = false;  // not before the first part, so that a refusal prints nothing else
  const auto show = [&](const api::PartTiming& t) {
    if (json) return;
    if (!std::exchange(titled, true)) {
      const auto& q = options.quantize;
      fmt::print("{} {}x{} on {}, {}, weights stored as {}{}, random\n", model->title, pixels, pixels, executor->name(),
                 precision,
                 q ? fmt::format("W{}A{}{}, others ", q->bits, q->activations,
                                 q->group > 0 ? fmt::format(" /{}", q->group) : "")
                   : "",
                 to_string(options.stored));
      fmt::print("{:<12} {:>10} {:>5} {:>9} {:>8} {:>9} {:>9} {:>10} {:>9} {:>10} {:>10}\n", "part", "parameters",
                 "rows", "load s", "GB/s", "once s", "run s", "GFLOP", "GFLOP/s", "planned", "resident");
    }
    fmt::print("{:<12} {:>10} {:>5} {:>9.2f} {:>8.2f} {:>9.2f} {:>9.2f} {:>10.1f} {:>9.1f} {:>10} {:>10}\n", t.part,
               human_count(static_cast<double>(t.parameters)), t.rows, t.load, gb_per_second(t), t.once, median(t.runs),
               t.flops / 1e9, t.flops / median(t.runs) / 1e9, human_bytes(static_cast<double>(t.memory.peak_bytes())),
               human_bytes(static_cast<double>(t.resident_peak)));
    std::fflush(stdout);
  };
  const auto timings = api::bench_model(*model, options, *executor, show, &interrupt_token());
  if (!json) return;
  OrderedJson parts = OrderedJson::array();
  for (const api::PartTiming& t : timings) parts.push_back(json_of(t));
  fmt::print("{}\n", OrderedJson{{"name", model->name},
                                 {"size", pixels},
                                 {"executor", executor->name()},
                                 {"precision", precision},
                                 {"stored", to_string(options.stored)},
                                 {"bits", options.quantize ? Json(options.quantize->bits) : Json()},
                                 {"parts", parts}}
                         .dump(2));
}

}  // namespace thimble::cli
