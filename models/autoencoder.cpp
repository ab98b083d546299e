#include "models/autoencoder.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

// x + conv(relu(conv(relu(x)))); the last convolution starts small, so that deep stacks start near the identity.
Var residual_block(Builder& b, Var x, std::string_view name, int index) {
  const auto s = b.scope(name, index);
  const std::int64_t c = x.dim(-1);
  Var h = b.conv2d(b.relu(x), "conv1", c, {.init_scale = 1.4});
  return x + b.conv2d(b.relu(h), "conv2", c, {.init_scale = 0.2});
}

void check_size(const AutoencoderConfig& c, int size) {
  if (size < c.compression() || size % c.compression() != 0) {
    fail(ErrorKind::bad_input, "picture size {} is not a multiple of {}", size, c.compression());
  }
}

}  // namespace

graph::Graph build_encoder(const AutoencoderConfig& c, int batch, int size) {
  check_size(c, size);
  Builder b("encoder");
  const auto s = b.scope("encoder");
  Var x = b.input("image", {batch, size, size, c.image_channels});
  x = b.conv2d(b.pixel_unshuffle(x, c.patch), "stem", c.channels[0]);
  for (std::size_t level = 0; level < c.channels.size(); ++level) {
    const auto l = b.scope("level", static_cast<int>(level));
    if (level > 0) x = b.conv2d(x, "down", c.channels[level], {.kernel = 2, .stride = 2, .padding = 0});
    for (int i = 0; i < c.encoder_blocks[level]; ++i) x = residual_block(b, x, "block", i);
  }
  b.output("latent", b.conv2d(x, "out", c.latent_channels));
  return b.finish();
}

graph::Graph build_decoder(const AutoencoderConfig& c, int batch, int size) {
  check_size(c, size);
  Builder b("decoder");
  const auto s = b.scope("decoder");
  const int grid = size / c.compression();
  Var x = b.input("latent", {batch, grid, grid, c.latent_channels});
  x = b.conv2d(x, "stem", c.channels.back());
  for (std::size_t level = c.channels.size(); level-- > 0;) {
    const auto l = b.scope("level", static_cast<int>(level));
    for (int i = 0; i < c.decoder_blocks[level]; ++i) x = residual_block(b, x, "block", i);
    if (level > 0) x = b.pixel_shuffle(b.conv2d(x, "up", 4 * c.channels[level - 1], {.kernel = 1}), 2);
  }
  x = b.conv2d(b.relu(x), "out", c.image_channels * c.patch * c.patch, {.init_scale = 0.5});
  b.output("image", b.pixel_shuffle(x, c.patch));
  return b.finish();
}

Json to_json(const AutoencoderConfig& c) {
  return {{"type", "autoencoder"},
          {"image_channels", c.image_channels},
          {"patch", c.patch},
          {"channels", c.channels},
          {"encoder_blocks", c.encoder_blocks},
          {"decoder_blocks", c.decoder_blocks},
          {"latent_channels", c.latent_channels}};
}

AutoencoderConfig autoencoder_from_json(const Json& json) {
  const ConfigReader r(json, "autoencoder");
  AutoencoderConfig c;
  c.image_channels = r.integer("image_channels", 1, 16);
  c.patch = r.integer("patch", 1, 16);
  c.channels = r.integers("channels", 1, 4096);
  c.encoder_blocks = r.integers("encoder_blocks", 0, 64);
  c.decoder_blocks = r.integers("decoder_blocks", 0, 64);
  c.latent_channels = r.integer("latent_channels", 1, 1024);
  if (c.channels.empty() || c.channels.size() > 8 || c.encoder_blocks.size() != c.channels.size() ||
      c.decoder_blocks.size() != c.channels.size()) {
    fail(ErrorKind::bad_file, "autoencoder config: channels and blocks must list the same 1 to 8 levels");
  }
  return c;
}

}  // namespace thimble::models
