// SqueezeNet v1.1 (Iandola et al. 2016) as a feature extractor: the published Caffe layout, without the classifier's
// softmax. Input: BGR, 0..255, minus (104, 117, 123), any size of at least 32. Weights come from its ncnn files
// (formats/ncnn).
#pragma once

#include "graph/graph.h"

namespace thimble::models {

// "image" (B, size, size, 3). Outputs "features" (B, 512), the mean over positions of fire9, and "logits" (B, 1000).
// Taps "conv1", "fire3", "fire5" … "fire9" (B, h, w, c), for perceptual distances.
// Parameters are named as the layers: "conv1.weight", "fire2/squeeze1x1.weight", …
graph::Graph build_squeezenet(int batch, int size);

// The same with the taps "conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9" as outputs, in that order.
graph::Graph build_squeezenet_taps(int batch, int size);

}  // namespace thimble::models
