#include "models/real_esrgan.h"

#include <cmath>

#include "base/error.h"
#include "graph/builder.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

constexpr int kColours = 3, kMostScale = 8;

std::string body(int layer) { return fmt::format("body.{}", layer); }

// max(x, 0) + slope min(x, 0), a slope for each channel.
Var prelu(Builder& b, Var x, const std::string& name) {
  const Var slope = b.param(name + ".weight", {x.dim(-1)}, {graph::Init::Kind::normal, 0.25});
  const Var positive = b.relu(x);
  return positive + (x - positive) * slope;
}

}  // namespace

graph::Graph build_real_esrgan(const RealEsrganConfig& c, int batch, int height, int width) {
  if (batch < 1 || height < 1 || width < 1) {
    fail(ErrorKind::bad_input, "Real-ESRGAN: {} pictures of {}x{} pixels", batch, width, height);
  }
  Builder b("real_esrgan");
  const Var image = b.input("image", {batch, height, width, kColours});
  Var x = prelu(b, b.conv2d(image, body(0), c.channels), body(1));
  int layer = 2;
  for (int i = 0; i < c.convolutions; ++i, layer += 2)
    x = prelu(b, b.conv2d(x, body(layer), c.channels), body(layer + 1));
  x = b.pixel_shuffle(b.conv2d(x, body(layer), kColours * c.scale * c.scale), c.scale);
  b.output("image", x + b.resize(image, graph::ResizeMode::nearest, c.scale * height, c.scale * width));
  return b.finish();
}

int real_esrgan_reach(const RealEsrganConfig& c) { return c.convolutions + 2; }

RealEsrganConfig real_esrgan_of(const graph::Weights& weights, std::string_view what) {
  const auto shape_of = [&](int layer) -> graph::Shape {
    const std::string name = body(layer) + ".weight";
    return weights.contains(name) ? weights.at(name).shape() : graph::Shape();
  };
  int last = 0;
  while (last < 4096 && !shape_of(last + 2).empty()) last += 2;
  const graph::Shape first = shape_of(0), end = shape_of(last);
  const bool filters = first.size() == 4 && end.size() == 4 && first[1] == kColours && last >= 4;
  const auto factor = filters ? std::lround(std::sqrt(static_cast<double>(end[0]) / kColours)) : 0;
  if (factor < 1 || factor > kMostScale || end[0] != kColours * factor * factor || first[0] > kMaxChannels) {
    fail(ErrorKind::bad_file,
         "{} holds no compact Real-ESRGAN network: filters 'body.0.weight', 'body.2.weight' ... were "
         "wanted",
         what);
  }
  return {static_cast<int>(first[0]), last / 2 - 1, static_cast<int>(factor)};
}

}  // namespace thimble::models
