// Pooling, resizing, and the space-to-depth pair, all on (B, C, H, W).
#include <cmath>

#include "base/error.h"
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

// Where each of `out` positions reads, by graph/ops/image.h.
std::vector<double> nearest(ResizeGrid grid, std::int64_t in, std::int64_t out) {
  std::vector<double> sources;
  for (std::int64_t o = 0; o < out; ++o) {
    std::int64_t at = o * in / out;
    if (grid == ResizeGrid::half_pixel) at = (2 * o + 1) * in / (2 * out);
    if (grid == ResizeGrid::align_corners) at = out == 1 ? 0 : (2 * o * (in - 1) + out - 1) / (2 * (out - 1));
    sources.push_back(static_cast<double>(std::min(at, in - 1)));
  }
  return sources;
}

std::string resize(OnnxEmitter& e, const std::string& x, const Shape& to, OnnxAttributes attributes) {
  return e.node("Resize", {x, "", "", e.integers(to)}, std::move(attributes));
}

}  // namespace

void lower(OnnxEmitter& e, const Pool2d& op, const Node& node) {
  OnnxAttributes attributes;
  attributes.integers("kernel_shape", op.kernel).integers("strides", op.stride).integers("pads", op.padding);
  if (op.kind == PoolKind::average) attributes.integer("count_include_pad", 0);
  e.define(
      node.output,
      e.node(op.kind == PoolKind::max ? "MaxPool" : "AveragePool", {e.in(node.inputs[0], Order::first)}, attributes),
      Order::first);
}

void lower(OnnxEmitter& e, const Resize& op, const Node& node) {
  const Shape& from = e.shape(node.inputs[0]);
  const Shape to{from[0], from[3], op.height, op.width};
  const std::string x = e.in(node.inputs[0], Order::first);
  if (op.mode == ResizeMode::bilinear) {
    const char* grid = op.grid == ResizeGrid::half_pixel      ? "half_pixel"
                       : op.grid == ResizeGrid::align_corners ? "align_corners"
                                                              : "asymmetric";
    return e.define(
        node.output,
        resize(e, x, to, OnnxAttributes().text("mode", "linear").text("coordinate_transformation_mode", grid)),
        Order::first);
  }
  // Whole factors: each pixel becomes a block, on both grids. Else runtimes round places in f32, where ties are lost:
  // rows and columns are picked by number.
  if (op.height % from[1] == 0 && op.width % from[2] == 0 && op.grid != ResizeGrid::align_corners) {
    return e.define(node.output,
                    resize(e, x, to,
                           OnnxAttributes()
                               .text("mode", "nearest")
                               .text("coordinate_transformation_mode", "asymmetric")
                               .text("nearest_mode", "floor")),
                    Order::first);
  }
  const std::string rows =
      e.node("Gather", {x, e.constant(DType::i64, {op.height}, nearest(op.grid, from[1], op.height))},
             OnnxAttributes().integer("axis", 2));
  e.define(node.output,
           e.node("Gather", {rows, e.constant(DType::i64, {op.width}, nearest(op.grid, from[2], op.width))},
                  OnnxAttributes().integer("axis", 3)),
           Order::first);
}

void lower(OnnxEmitter& e, const PixelShuffle& op, const Node& node) {
  e.define(node.output,
           e.node("DepthToSpace", {e.in(node.inputs[0], Order::first)},
                  OnnxAttributes().integer("blocksize", op.factor).text("mode", "CRD")),
           Order::first);
}

// SpaceToDepth puts the pixels of a block before the channels; here they go behind.
void lower(OnnxEmitter& e, const PixelUnshuffle& op, const Node& node) {
  const Shape& s = e.shape(node.inputs[0]);  // (B, H, W, C)
  const std::int64_t r = op.factor, height = s[1] / r, width = s[2] / r;
  const std::string blocks = e.reshape(e.in(node.inputs[0], Order::first), {s[0], s[3], height, r, width, r});
  e.define(node.output, e.reshape(e.transpose(blocks, {0, 1, 3, 5, 2, 4}), {s[0], s[3] * r * r, height, width}),
           Order::first);
}

}  // namespace thimble::formats
