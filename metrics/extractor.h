// Features of a real pretrained network for distribution distances and a perceptual distance. The network is SqueezeNet
// v1.1, its weights a path the caller gives; whoever quotes a figure names it by `name()`.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/cancel.h"
#include "base/progress.h"
#include "graph/executor.h"
#include "media/image.h"
#include "metrics/distribution.h"

namespace thimble::metrics {

class SqueezeNetExtractor {
 public:
  // `folder` holds squeezenet_v1.1.param and squeezenet_v1.1.bin (ncnn, BSD-2-Clause). Pictures are laid on white and
  // resized to `size`. The executor must outlive the extractor.
  SqueezeNetExtractor(graph::Executor& executor, const std::filesystem::path& folder, int size = 128);

  std::string name() const;  // "squeezenet-1.1 fire9 mean, 128 px"

  // fire9, mean over positions: 512 values a picture.
  Features features(std::span<const media::Image> images, const ProgressFn& progress = {},
                    const CancelToken* cancel = nullptr);

  // Channel-normalised squared differences at conv1, fire3, fire5-9, mean over positions, summed over channels and
  // averaged over the seven layers with equal weights. In the form of LPIPS without its learnt weights, so not LPIPS.
  double perceptual_distance(const media::Image& a, const media::Image& b);

 private:
  std::vector<float> input_of(std::span<const media::Image> images) const;

  int size_;
  graph::Weights weights_;
  std::unique_ptr<graph::Program> features_, taps_;
};

}  // namespace thimble::metrics
