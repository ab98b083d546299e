// The compact network of Real-ESRGAN (Wang et al. 2021, "SRVGGNetCompact"): a row of 3x3 convolutions with PReLU at the
// picture's size, the last one giving every pixel of the larger picture, added to the enlarged input. Names as in its
// checkpoints: "body.<i>". Not here: the residual-dense network of the same authors (RRDB).
#pragma once

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::models {

struct RealEsrganConfig {
  int channels = 64;
  int convolutions = 32;  // in the middle
  int scale = 4;
  bool operator==(const RealEsrganConfig&) const = default;
};

// "image" (B, height, width, 3) in [0, 1] -> "image" (B, scale * height, scale * width, 3), to be clamped.
graph::Graph build_real_esrgan(const RealEsrganConfig& config, int batch, int height, int width);

// Pixels to every side that a pixel depends on.
int real_esrgan_reach(const RealEsrganConfig& config);

// From the shapes of "body.<i>.weight"; bad_file, naming `what`, when they are of another network.
RealEsrganConfig real_esrgan_of(const graph::Weights& weights, std::string_view what);

}  // namespace thimble::models
