// From one form of a model to another, and from one precision to another:
//   from                                  to
//   diffusers directory, single file,     a folder: diffusers' layout, one file for each part
//   GGUF file                             .safetensors: a single file in the original names (Stable Diffusion 1.x)
//                                         .gguf: the same names, in f32, f16, bf16 or q8_0
//   Thimble model file                    .safetensors: a Thimble model file
// A single file keeps all its tensors and their names. Nothing is left behind when it fails.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/dtype.h"
#include "base/progress.h"

namespace thimble::api {

struct ConvertOptions {
  std::optional<DType> precision = {};  // f32, bf16, f16; none: as stored (narrower types become bf16)
  bool q8_0 = false;                    // GGUF: matrices in blocks of 8 bits, the rest in f16 and f32
};

struct Converted {
  std::string form;  // "diffusers directory", "single file", "GGUF file", "Thimble model"
  std::size_t tensors = 0;
  std::uintmax_t bytes = 0;  // written
};

// bad_input for forms that do not go together and for an output that is there already as a folder; unsupported for
// models that have no such form; else as readers and writers of the formats say.
Converted convert_model(const std::filesystem::path& from, const std::filesystem::path& to,
                        const ConvertOptions& options, const ProgressFn& progress = {},
                        const CancelToken* cancel = nullptr);

}  // namespace thimble::api
