#include "models/squeezenet.h"

#include "base/error.h"
#include "graph/builder.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

// 3x3, stride 2, rounding up: what does not fit is completed by padding that takes no part.
Var pool(Builder& b, Var x) {
  const std::int64_t down = (x.dim(1) - 3) % 2 != 0, right = (x.dim(2) - 3) % 2 != 0;
  return b.pool2d(x,
                  {.kind = graph::PoolKind::max, .kernel = {3, 3}, .stride = {2, 2}, .padding = {0, 0, down, right}});
}

Var fire(Builder& b, Var x, int index, int squeeze, int expand) {
  const std::string name = fmt::format("fire{}/", index);
  Var s = b.relu(b.conv2d(x, name + "squeeze1x1", squeeze, {.kernel = 1}));
  x = b.concat(
      {b.relu(b.conv2d(s, name + "expand1x1", expand, {.kernel = 1})), b.relu(b.conv2d(s, name + "expand3x3", expand))},
      -1);
  if (index >= 3 && index != 4) b.tap(fmt::format("fire{}", index), x);
  return x;
}

graph::Graph build(int batch, int size) {
  if (size < 32) fail(ErrorKind::bad_input, "SqueezeNet takes pictures of at least 32x32, {} came", size);
  Builder b("squeezenet");
  Var x = b.input("image", {batch, size, size, 3});
  x = b.relu(b.conv2d(x, "conv1", 64, {.kernel = 3, .stride = 2, .padding = 0}));
  b.tap("conv1", x);
  x = fire(b, pool(b, x), 2, 16, 64);
  x = fire(b, x, 3, 16, 64);
  x = fire(b, pool(b, x), 4, 32, 128);
  x = fire(b, x, 5, 32, 128);
  x = fire(b, pool(b, x), 6, 48, 192);
  x = fire(b, x, 7, 48, 192);
  x = fire(b, x, 8, 64, 256);
  x = fire(b, x, 9, 64, 256);
  b.output("features", b.mean(x, {1, 2}, false));
  x = b.relu(b.conv2d(x, "conv10", 1000, {.kernel = 1}));
  b.output("logits", b.mean(x, {1, 2}, false));
  return b.finish();
}

}  // namespace

graph::Graph build_squeezenet(int batch, int size) { return build(batch, size); }

graph::Graph build_squeezenet_taps(int batch, int size) {
  graph::Graph g = build(batch, size);
  g.outputs = g.taps;
  return g;
}

}  // namespace thimble::models
