// Pictures made larger by a network (Real-ESRGAN's compact ones), tile by tile.
//
//   api::Upscaler upscaler("realesr.param", *executor, graph::Precision::f32);
//   const media::Image large = upscaler(media::read_image("small.png"));
#pragma once

#include <filesystem>

#include "base/cancel.h"
#include "base/progress.h"
#include "graph/executor.h"
#include "media/image.h"
#include "models/real_esrgan.h"

namespace thimble::api {

struct UpscaleOptions {
  int scale = 0;   // 0: the network's; smaller ones shrink what it made
  int tile = 256;  // pixels per side of the input that run at once; what surrounds a tile is read too
};

class Upscaler {
 public:
  // `weights`: a .param or .bin of ncnn (the other one beside it), or a .safetensors file with the original names.
  // The executor is kept by reference. bad_file, io; unsupported for pickles.
  Upscaler(const std::filesystem::path& weights, graph::Executor& executor, graph::Precision precision);

  int scale() const { return config_.scale; }
  // Transparency is enlarged by bicubic interpolation. bad_input for a picture that would be too large and for options
  // out of range. Tiles do not show: each is run with all that its pixels depend on.
  media::Image operator()(const media::Image& image, const UpscaleOptions& options = {},
                          const ProgressFn& progress = {}, const CancelToken* cancel = nullptr);

 private:
  graph::Weights weights_;
  models::RealEsrganConfig config_;
  graph::Executor& executor_;
  graph::Precision precision_;
};

}  // namespace thimble::api
