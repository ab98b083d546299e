// Blocks that the convolutional networks of the diffusers library share, with its parameter names.
// Activations are (B, H, W, C). The caller has opened the block's scope.
#pragma once

#include <optional>
#include <vector>

#include "graph/builder.h"

namespace thimble::models {

struct ResnetOptions {
  std::int64_t groups = 32;
  double eps = 1e-6;
};

// Two normalised convolutions beside a shortcut ("norm1", "conv1", "norm2", "conv2"; "conv_shortcut" when the number of
// channels changes). `time` (B, D), already through SiLU, is projected by "time_emb_proj" and added between the two.
graph::Var resnet_block(graph::Builder& b, graph::Var x, std::optional<graph::Var> time, std::int64_t channels,
                        ResnetOptions options);

// "downsamplers.0.conv", stride 2. pad 1: a row on every side; pad 0: one below and one to the right alone, as
// autoencoders have it.
graph::Var downsample(graph::Builder& b, graph::Var x, int pad);

// Nearest to (height, width), "upsamplers.0.conv". The target is twice the size of x, or one less per side, which an
// odd picture left when it was halved.
graph::Var upsample(graph::Builder& b, graph::Var x, std::int64_t height, std::int64_t width);

// Each channel repeated in place: c becomes c*times .. c*times + times - 1.
graph::Var repeat_channels(graph::Builder& b, graph::Var x, std::int64_t times);
// The mean of every `size` neighbouring channels.
graph::Var mean_of_channels(graph::Builder& b, graph::Var x, std::int64_t size);

// bad_input unless both sides are positive multiples of `step`.
void check_picture(std::string_view what, int height, int width, int step);

}  // namespace thimble::models
