#include "models/tiny_autoencoder.h"

#include <algorithm>

#include "base/error.h"
#include "graph/builder.h"
#include "models/blocks_conv.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

constexpr int kPoolGroups = 4, kPoolRatio = 4;
constexpr double kPoolEps = 1e-5;

Var block(Builder& b, Var x, int layer, bool pooled) {
  const auto s = b.scope("layers", layer);
  const std::int64_t c = x.dim(-1);
  if (pooled) {
    Var p = b.conv2d(x, "pool.0", kPoolRatio * c, {.kernel = 1, .bias = false});
    p = b.relu(b.group_norm(p, "pool.1", kPoolGroups, kPoolEps));
    x = x + b.conv2d(p, "pool.3", c, {.kernel = 1, .bias = false});
  }
  const Var h = b.relu(b.conv2d(b.relu(b.conv2d(x, "conv.0", c)), "conv.2", c));
  return b.relu(b.conv2d(h, "conv.4", c) + x);
}

std::string layer_name(int layer) { return fmt::format("layers.{}", layer); }

}  // namespace

graph::Graph build_tiny_encoder(const TinyAutoencoderConfig& c, const BuildSize& size) {
  check_picture("AutoencoderTiny", size.height, size.width, c.compression());
  Builder b("encoder");
  const auto e = b.scope("encoder");
  Var x = b.input("image", {size.batch, size.height, size.width, c.in_channels});
  x = (x + 1.0) * 0.5;  // the network's own range is [0, 1]
  int layer = 0;
  for (std::size_t stage = 0; stage < c.encoder_blocks.size(); ++stage) {
    const bool last = stage + 1 == c.encoder_blocks.size();
    x = stage == 0 ? b.conv2d(x, layer_name(layer++), c.channels)
                   : b.conv2d(x, layer_name(layer++), c.channels, {.stride = 2, .bias = false});
    for (int i = 0; i < c.encoder_blocks[stage]; ++i) x = block(b, x, layer++, last && c.pooled_middle);
    b.tap(fmt::format("encoder.layers.{}", layer - 1), x);
  }
  b.output("latent", b.conv2d(x, layer_name(layer), c.latent_channels));
  return b.finish();
}

graph::Graph build_tiny_decoder(const TinyAutoencoderConfig& c, const BuildSize& size) {
  check_picture("AutoencoderTiny", size.height, size.width, 1);
  Builder b("decoder");
  const auto d = b.scope("decoder");
  Var x = b.input("latent", {size.batch, size.height, size.width, c.latent_channels});
  x = b.tanh(x * (1.0 / 3)) * 3.0;
  x = b.relu(b.conv2d(x, "layers.0", c.channels));
  int layer = 2;  // the activation counts as layer 1
  for (std::size_t stage = 0; stage < c.decoder_blocks.size(); ++stage) {
    const bool last = stage + 1 == c.decoder_blocks.size();
    for (int i = 0; i < c.decoder_blocks[stage]; ++i) x = block(b, x, layer++, stage == 0 && c.pooled_middle);
    if (last) break;
    x = b.resize(x, graph::ResizeMode::nearest, 2 * x.dim(1), 2 * x.dim(2));
    ++layer;
    x = b.conv2d(x, layer_name(layer), c.channels, {.bias = false});
    b.tap(fmt::format("decoder.layers.{}", layer), x);
    ++layer;
  }
  x = b.conv2d(x, layer_name(layer), c.out_channels);
  b.output("image", x * 2.0 + -1.0);
  return b.finish();
}

TinyAutoencoderConfig tiny_autoencoder_from_json(const Json& json) {
  const ForeignConfig r(json, "AutoencoderTiny");
  r.must_be("act_fn", "relu");
  r.must_be("upsample_fn", "nearest");
  r.must_be("upsampling_scaling_factor", 2);
  TinyAutoencoderConfig c;
  c.in_channels = r.integer("in_channels", 3, 1, 64);
  c.out_channels = r.integer("out_channels", 3, 1, 64);
  c.latent_channels = r.integer("latent_channels", 4, 1, 1024);
  c.encoder_blocks = r.integers("num_encoder_blocks", c.encoder_blocks, 0, 64);
  c.decoder_blocks = r.integers("num_decoder_blocks", c.decoder_blocks, 0, 64);
  c.pooled_middle = r.flag("use_midblock_gn", false);
  const auto in = r.per_level("encoder_block_out_channels", c.encoder_blocks.size(), 64, 1, kMaxChannels);
  const auto out = r.per_level("decoder_block_out_channels", c.decoder_blocks.size(), 64, 1, kMaxChannels);
  c.channels = in[0];
  const auto same = [&](int n) { return n == c.channels; };
  if (!std::all_of(in.begin(), in.end(), same) || !std::all_of(out.begin(), out.end(), same)) {
    r.bad("the entries of 'encoder_block_out_channels' and 'decoder_block_out_channels' must be one number");
  }
  if (c.encoder_blocks.size() != c.decoder_blocks.size()) {
    r.bad("'num_encoder_blocks' and 'num_decoder_blocks' must list equally many stages");
  }
  return c;
}

}  // namespace thimble::models
