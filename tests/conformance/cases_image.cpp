// Pooling, resizing, and the space-to-depth pair.
#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using enum graph::PoolKind;
using graph::Builder;
using graph::Ints;
using graph::ResizeMode;
using graph::Shape;
using enum graph::ResizeGrid;

constexpr auto nearest_mode = ResizeMode::nearest, bilinear_mode = ResizeMode::bilinear;

Case pool(std::string name, graph::PoolKind kind, Shape shape, Ints kernel, Ints stride, Ints padding) {
  return {"pool_" + std::move(name), kind == max ? kExact : kRounded, [=](Builder& b) {
            b.output("y", b.pool2d(b.input("x", shape), {kind, kernel, stride, padding}));
          }};
}

Case nearest(std::string name, Shape shape, std::int64_t height, std::int64_t width) {
  return {"nearest_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.resize(b.input("x", shape), ResizeMode::nearest, height, width)); }};
}

constexpr Tolerance kBlend{5e-6, 4e-3, "weights of neighbours in f32, up to 2^-20 off where positions are large"};

Case bilinear(std::string name, Shape shape, std::int64_t height, std::int64_t width) {
  return {"bilinear_" + std::move(name), kBlend,
          [=](Builder& b) { b.output("y", b.resize(b.input("x", shape), ResizeMode::bilinear, height, width)); }};
}

Case resize_grid(std::string name, graph::ResizeMode mode, graph::ResizeGrid grid, Shape shape, std::int64_t height,
                 std::int64_t width) {
  return {"resize_" + std::move(name), mode == ResizeMode::nearest ? kExact : kBlend, [=](Builder& b) {
            b.output("y", b.add(graph::Resize{mode, height, width, grid}, {b.input("x", shape)}));
          }};
}

Case shuffle(std::string name, Shape shape, std::int64_t factor) {
  return {"pixel_shuffle_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.pixel_shuffle(b.input("x", shape), factor)); }};
}

Case unshuffle(std::string name, Shape shape, std::int64_t factor) {
  return {"pixel_unshuffle_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.pixel_unshuffle(b.input("x", shape), factor)); }};
}

}  // namespace

void add_image_cases(std::vector<Case>& cases) {
  cases.insert(cases.end(), {
                                pool("max", max, {2, 6, 8, 5}, {2, 2}, {2, 2}, {0, 0, 0, 0}),
                                pool("max_overlap", max, {1, 9, 7, 17}, {3, 3}, {2, 2}, {1, 1, 1, 1}),
                                pool("max_uneven", max, {1, 7, 9, 4}, {2, 3}, {1, 2}, {1, 0, 0, 2}),
                                pool("average", average, {2, 6, 8, 5}, {2, 2}, {2, 2}, {0, 0, 0, 0}),
                                pool("average_padded", average, {1, 7, 6, 19}, {3, 3}, {2, 2}, {1, 1, 1, 1}),
                                pool("average_one_side", average, {1, 5, 5, 3}, {3, 2}, {1, 1}, {0, 1, 2, 0}),
                                pool("average_global", average, {2, 5, 7, 33}, {5, 7}, {1, 1}, {0, 0, 0, 0}),
                                nearest("double", {2, 3, 5, 7}, 6, 10),
                                nearest("triple_wide", {1, 4, 3, 16}, 4, 9),
                                nearest("fraction", {1, 5, 7, 3}, 8, 11),
                                nearest("half", {1, 8, 6, 5}, 4, 3),
                                nearest("shrink", {1, 9, 7, 4}, 4, 5),
                                nearest("same", {1, 4, 5, 3}, 4, 5),
                                bilinear("double", {2, 4, 5, 8}, 8, 10),
                                bilinear("fraction", {1, 5, 7, 3}, 8, 12),
                                bilinear("half", {1, 8, 6, 5}, 4, 3),
                                bilinear("shrink", {1, 9, 11, 4}, 4, 5),
                                bilinear("to_one", {1, 5, 4, 6}, 1, 1),
                                bilinear("from_one", {1, 1, 1, 9}, 3, 4),
                                bilinear("same", {1, 4, 5, 3}, 4, 5),
                                bilinear("large", {1, 3, 33, 1}, 5, 200),
                                resize_grid("corners", bilinear_mode, align_corners, {1, 5, 7, 3}, 8, 12),
                                resize_grid("corners_to_one", bilinear_mode, align_corners, {1, 5, 4, 6}, 1, 1),
                                resize_grid("corners_shrink", bilinear_mode, align_corners, {2, 9, 11, 4}, 4, 5),
                                resize_grid("corner", bilinear_mode, asymmetric, {1, 4, 5, 8}, 8, 10),
                                resize_grid("corner_fraction", bilinear_mode, asymmetric, {2, 5, 7, 3}, 8, 12),
                                resize_grid("corner_shrink", bilinear_mode, asymmetric, {1, 9, 11, 4}, 4, 5),
                                resize_grid("nearest_corners", nearest_mode, align_corners, {1, 5, 7, 3}, 9, 12),
                                resize_grid("nearest_corners_double", nearest_mode, align_corners, {1, 3, 5, 7}, 6, 10),
                                resize_grid("nearest_corner", nearest_mode, asymmetric, {1, 5, 7, 3}, 8, 11),
                                resize_grid("nearest_corner_double", nearest_mode, asymmetric, {2, 3, 5, 7}, 6, 10),
                                shuffle("two", {2, 3, 5, 12}, 2),
                                shuffle("three", {1, 2, 3, 18}, 3),
                                shuffle("one", {1, 2, 3, 4}, 1),
                                unshuffle("two", {2, 6, 10, 3}, 2),
                                unshuffle("three", {1, 6, 9, 2}, 3),
                                unshuffle("eight", {1, 8, 16, 1}, 8),
                            });
}

}  // namespace thimble::conformance
