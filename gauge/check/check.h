// Imports a model, runs it, and compares with what the runtime it was made for gave on the same inputs. The reference
// is a safetensors file made by tools/goldens/gauge_outputs.py: tensors "input:NAME" and "output:NUMBER", and in the
// metadata `model` (SHA-256), `runtime`, and `values` (JSON: inputs that were fixed to one number).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gauge/import/import.h"
#include "graph/executor.h"

namespace thimble::gauge {

struct OutputError {
  std::string name;
  double largest = 0;                   // |ours - theirs|
  double relative = 0;                  // the same over the largest |theirs| of that output
  std::size_t elements = 0, apart = 0;  // how many are off by more than a thousandth of the largest |theirs|
};

struct CheckResult {
  std::string path, format, runtime;
  bool parsed = false, imported = false, ran = false;
  std::string reason;  // of the first of these that is false, or why nothing was compared
  std::vector<std::string> notes;
  std::size_t nodes = 0;
  std::vector<OutputError> outputs;             // empty when there is no reference
  double compile_seconds = 0, run_seconds = 0;  // of one run, the first
  double worst() const;                         // largest `relative`; NaN counts as infinite
  // Of results that are apart, when an exact executor was given: how far either side is from exact arithmetic, by the
  // same measure. The side that is further off is the one that rounds.
  std::optional<double> ours_from_exact, theirs_from_exact;
};

// `references`: a folder of files named by the first 16 digits of the models' SHA-256; empty: only import and run, on
// zeros. `exact`, if not null, runs what comes out further than `tolerance` once more. Never throws for what is wrong
// with the model.
CheckResult check_model(const std::filesystem::path& path, const std::filesystem::path& references,
                        graph::Executor& executor, const ImportOptions& options, graph::Executor* exact = nullptr,
                        double tolerance = 1e-3);

}  // namespace thimble::gauge
