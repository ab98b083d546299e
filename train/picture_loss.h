// The reconstruction loss of pictures with its gradient, in one pass over plain memory: through autograd it would cost
// a seventh of an autoencoder's training step. No LibTorch.
#pragma once

#include <cstdint>
#include <span>

namespace thimble::train {

// e = output - target, both premultiplied RGBA in [-1, 1]; c = e seen over a background, c_k = e_k - e_alpha *
// ground_k. loss = mean(|e| + square e^2) + mean(|c| + square c^2) + edge sum_l mean(|dx e_l| + |dy e_l|), where e_l is
// e averaged over 2^l x 2^l pixels, l = 0, 1, 2.
struct PictureLossOptions {
  float square = 0.5f;
  float edge = 0.5f;
};

struct PictureLoss {
  double total = 0, absolute = 0, squared = 0, edge = 0;  // absolute and squared: of e alone
};

// output, target, gradient: (batch, side, side, 4), side a multiple of 4; grounds: (batch, 3) in [0, 1].
PictureLoss picture_loss(const PictureLossOptions& options, std::int64_t batch, std::int64_t side,
                         std::span<const float> output, std::span<const float> target, std::span<const float> grounds,
                         std::span<float> gradient);

}  // namespace thimble::train
