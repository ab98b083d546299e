// Ops that move values and are not views: pad, concat, gather; and those on pictures: resize, pooling, pixel shuffle.
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "runtime/lowering.h"

namespace thimble::runtime {

using namespace graph;

namespace {

[[noreturn]] void no_step(std::string_view op) {
  fail(ErrorKind::internal, "[{}] is a view or fixed and cannot be a step", op);
}

}  // namespace

void lower(Lowering&, const Unit&, const Constant&) { no_step("constant"); }
void lower(Lowering&, const Unit&, const Reshape&) { no_step("reshape"); }
void lower(Lowering&, const Unit&, const Transpose&) { no_step("transpose"); }
void lower(Lowering&, const Unit&, const Broadcast&) { no_step("broadcast"); }
void lower(Lowering&, const Unit&, const Slice&) { no_step("slice"); }

void lower(Lowering& l, const Unit& u, const Pad& op) {
  const DType type = l.stored(u.output);
  const Located x = l.read(u.x, type), y = l.result(u);
  FillStep fill{.n = y.elements(), .element_size = size_of(type), .value = {}};
  convert(DType::f64, &op.value, type, fill.value.data(), 1);
  l.emit(&u, "pad fill", {"fill"}, fill, {.in = {}, .out = Lowering::at(y)}, y);
  Located inside = y;
  inside.shape = x.shape;
  for (std::size_t i = 0; i < op.before.size(); ++i) inside.offset += op.before[i] * y.strides[i];
  l.copy(x, inside, "pad copy");
}

void lower(Lowering& l, const Unit& u, const Concat& op) {
  const DType type = l.stored(u.output);
  std::vector<Located> parts;
  for (ValueId v : l.node(u).inputs) parts.push_back(l.read(v, type));
  const Located y = l.result(u);
  std::int64_t begin = 0;
  for (const Located& x : parts) {
    const std::int64_t size = x.shape[index(op.axis)];
    l.copy(x, sliced(y, {op.axis, begin, begin + size, 1}), "concat");
    begin += size;
  }
}

void lower(Lowering& l, const Unit& u, const Gather& op) {
  const DType type = l.stored(u.output);
  const Located table = l.read_dense(u.x, type), indices = l.read_dense(l.node(u).inputs[1], DType::i32),
                y = l.result(u);
  const auto axis = table.shape.begin() + op.axis;
  const GatherStep step{.outer = element_count({table.shape.begin(), axis}),
                        .table_rows = *axis,
                        .indices = indices.elements(),
                        .row_bytes = index(element_count({axis + 1, table.shape.end()})) * size_of(type)};
  l.emit(&u, u.name, {"gather_rows"}, step,
         {.in = {Lowering::at(table), Lowering::at(indices)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Resize& op) {
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_resample(type, l.isa), type, "resize");
  const Located x = l.read_dense(u.x, type), y = l.result(u);
  ResizeStep step{&k,
                  {.batch = x.shape[0],
                   .in_h = x.shape[1],
                   .in_w = x.shape[2],
                   .out_h = op.height,
                   .out_w = op.width,
                   .channels = x.shape[3]}};
  step.args.mode = op.mode == ResizeMode::nearest ? kernels::ResizeMode::nearest : kernels::ResizeMode::bilinear;
  constexpr kernels::ResizeGrid kGrids[] = {kernels::ResizeGrid::half_pixel, kernels::ResizeGrid::align_corners,
                                            kernels::ResizeGrid::asymmetric};
  static_assert(static_cast<int>(ResizeGrid::asymmetric) == 2 && static_cast<int>(ResizeGrid::align_corners) == 1);
  step.args.grid = kGrids[static_cast<int>(op.grid)];
  l.emit(&u, u.name, {std::string(k.name), refused_rows(kernels::resample_kernels(), &k, l.isa)}, step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Pool2d& op) {
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_resample(type, l.isa), type, "pool2d");
  const Located x = l.read_dense(u.x, type), y = l.result(u);
  PoolStep step{&k,
                {.batch = x.shape[0],
                 .in_h = x.shape[1],
                 .in_w = x.shape[2],
                 .out_h = y.shape[1],
                 .out_w = y.shape[2],
                 .channels = x.shape[3]}};
  step.args.mode = op.kind == PoolKind::max ? kernels::PoolMode::max : kernels::PoolMode::average;
  step.args.kernel_h = op.kernel[0];
  step.args.kernel_w = op.kernel[1];
  step.args.stride_h = op.stride[0];
  step.args.stride_w = op.stride[1];
  step.args.pad_top = op.padding[0];
  step.args.pad_left = op.padding[1];
  step.args.pad_bottom = op.padding[2];
  step.args.pad_right = op.padding[3];
  l.emit(&u, u.name, {std::string(k.name), refused_rows(kernels::resample_kernels(), &k, l.isa)}, step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

namespace {

void lower_shuffle(Lowering& l, const Unit& u, bool back, std::int64_t r) {
  const DType type = l.stored(u.output);
  const Located x = l.read_dense(u.x, type), y = l.result(u);
  const Located& small = back ? y : x;  // (B, h, w, channels * r * r)
  const ShuffleStep step{back,
                         kernels::ShuffleOrder::channel_first,
                         small.shape[0],
                         small.shape[1],
                         small.shape[2],
                         small.shape[3] / (r * r),
                         r,
                         size_of(type)};
  l.emit(&u, u.name, {back ? "pixel_unshuffle" : "pixel_shuffle"}, step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

}  // namespace

void lower(Lowering& l, const Unit& u, const PixelShuffle& op) { lower_shuffle(l, u, false, op.factor); }
void lower(Lowering& l, const Unit& u, const PixelUnshuffle& op) { lower_shuffle(l, u, true, op.factor); }

}  // namespace thimble::runtime
