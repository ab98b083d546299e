// Every part of a model as an ONNX file, for other runtimes and for the compilers of NPUs: a Thimble model, a config, a
// graph as text, a published model by directory or checkpoint, or one of the catalogue with random weights.
// Not here: what an op becomes (formats/onnx).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "api/inspect.h"
#include "base/cancel.h"
#include "base/progress.h"
#include "formats/onnx/onnx.h"

namespace thimble::api {

struct ExportOptions {
  InspectOptions inspect = {};  // batch, tokens, size, quantisation
  std::string part = {};        // only this one
  std::string variant = {};     // of a directory's weight files: "fp16"
  bool random_weights = false;  // for what has no weights; drawn in bf16, numbers repeat
  bool with_run = false;  // beside each model, FILE.safetensors: inputs, and what this device makes of them in f32
  formats::OnnxOptions onnx = {};
};

struct Exported {
  std::string part;
  formats::OnnxWritten written;
  std::filesystem::path run;  // empty without one
};

// One part goes to `path`; of several each to its own file, STEM-PART.onnx. `published`: `model` is a directory or a
// checkpoint of other programs. bad_input where a part does not exist, or where weights are missing and none are drawn.
std::vector<Exported> export_onnx(const std::string& model, bool published, const std::filesystem::path& path,
                                  const ExportOptions& options, const ProgressFn& progress = {},
                                  const CancelToken* cancel = nullptr);

}  // namespace thimble::api
