#include "models/blocks_conv.h"

#include <cmath>

#include "base/error.h"

namespace thimble::models {

using graph::Builder;
using graph::Init;
using graph::Var;

Var resnet_block(Builder& b, Var x, std::optional<Var> time, std::int64_t channels, ResnetOptions o) {
  Var h = b.conv2d(b.silu(b.group_norm(x, "norm1", o.groups, o.eps)), "conv1", channels);
  if (time) h = h + b.reshape(b.linear(*time, "time_emb_proj", channels), {h.dim(0), 1, 1, channels});
  h = b.conv2d(b.silu(b.group_norm(h, "norm2", o.groups, o.eps)), "conv2", channels);
  if (x.dim(-1) != channels) x = b.conv2d(x, "conv_shortcut", channels, {.kernel = 1});
  return x + h;
}

Var downsample(Builder& b, Var x, int pad) {
  if (pad == 1) return b.conv2d(x, "downsamplers.0.conv", x.dim(-1), {.stride = 2});
  const auto s = b.scope("downsamplers.0.conv");
  const std::int64_t c = x.dim(-1);
  const Init init{Init::Kind::normal, 1 / std::sqrt(9.0 * static_cast<double>(c))};
  return b.add(graph::Conv2d{.stride = {2, 2}, .padding = {0, 0, 1, 1}},
               {x, b.param("weight", {c, c, 3, 3}, init), b.param("bias", {c}, {})});
}

Var upsample(Builder& b, Var x, std::int64_t height, std::int64_t width) {
  // For a target of 2n - 1 the original's index floor(i * n / (2n - 1)) is floor(i / 2) as well.
  x = b.resize(x, graph::ResizeMode::nearest, 2 * x.dim(1), 2 * x.dim(2));
  if (x.dim(1) != height) x = b.slice(x, 1, 0, height);
  if (x.dim(2) != width) x = b.slice(x, 2, 0, width);
  return b.conv2d(x, "upsamplers.0.conv", x.dim(-1));
}

Var repeat_channels(Builder& b, Var x, std::int64_t times) {
  if (times == 1) return x;
  const graph::Shape s = x.shape();
  const Var wide = b.broadcast(b.reshape(x, {s[0], s[1], s[2], s[3], 1}), {s[0], s[1], s[2], s[3], times});
  return b.reshape(wide, {s[0], s[1], s[2], s[3] * times});
}

Var mean_of_channels(Builder& b, Var x, std::int64_t size) {
  if (size == 1) return x;
  const graph::Shape s = x.shape();
  return b.mean(b.reshape(x, {s[0], s[1], s[2], s[3] / size, size}), {4}, false);
}

void check_picture(std::string_view what, int height, int width, int step) {
  if (height > 0 && width > 0 && height % step == 0 && width % step == 0) return;
  if (step == 1) fail(ErrorKind::bad_input, "{}: {} x {} is no size", what, height, width);
  fail(ErrorKind::bad_input, "{}: {} x {} pixels; both sides must be multiples of {}", what, height, width, step);
}

}  // namespace thimble::models
