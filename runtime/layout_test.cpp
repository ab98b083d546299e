// Tests of layouts (views by strides) and of the arena.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "runtime/layout.h"
#include "runtime/plan.h"

namespace thimble::runtime {
namespace {

using graph::Shape;

Located x_of(Shape shape) { return dense_at(0, {DType::f32, std::move(shape)}); }

TEST(Layout, ReshapeOfASliceKeepsStridesWhereItCan) {
  const Located qkv = x_of({2, 5, 12});
  const Located k = sliced(qkv, {2, 4, 8, 1});
  EXPECT_EQ(k.offset, 4);
  const auto heads = reshaped(k, {2, 5, 2, 2});
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->strides, (Strides{60, 12, 2, 1}));
  const auto tokens = reshaped(k, {10, 1, 4});
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->strides[0], 12);
  EXPECT_EQ(tokens->strides[2], 1);
  EXPECT_FALSE(reshaped(k, {2, 20}));  // rows are apart
  EXPECT_FALSE(reshaped(transposed(qkv, {0, 2, 1}), {2, 60}));
  EXPECT_TRUE(reshaped(transposed(x_of({2, 1, 6}), {1, 0, 2}), {12}));  // axes of size one do not count
}

TEST(Layout, RowsNeedOneStride) {
  const auto rows = as_rows(sliced(x_of({2, 5, 12}), {2, 4, 8, 1}));
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->rows, 10);
  EXPECT_EQ(rows->columns, 4);
  EXPECT_EQ(rows->stride, 12);
  EXPECT_FALSE(as_rows(sliced(x_of({2, 5, 12}), {1, 0, 3, 1})));   // a gap between batches
  EXPECT_FALSE(as_rows(sliced(x_of({2, 5, 12}), {2, 0, 12, 2})));  // every other column
  EXPECT_FALSE(as_rows(broadcast(x_of({1, 4}), {3, 4})));
}

TEST(Layout, BatchVectorsOfSlices) {
  const Located table = x_of({2, 6, 8});
  const auto gate = as_batch_vector(sliced(table, {1, 2, 3, 1}), {2, 64, 8});
  ASSERT_TRUE(gate);
  EXPECT_EQ(gate->stride, 48);
  EXPECT_EQ(gate->rows, 64);
  const auto shared = as_batch_vector(x_of({8}), {2, 4, 4, 8});
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->stride, 0);
  EXPECT_EQ(shared->rows, 16);
  EXPECT_FALSE(as_batch_vector(x_of({2, 64, 8}), {2, 64, 8}));
  EXPECT_FALSE(as_batch_vector(x_of({1, 1, 1}), {2, 64, 8}));
}

TEST(Arena, BuffersThatLiveTogetherDoNotOverlap) {
  Rng rng(5);
  std::vector<PlanBuffer> buffers;
  for (int i = 0; i < 200; ++i) {
    PlanBuffer b;
    b.home = i % 9 == 0 ? Home::fixed : Home::arena;
    b.bytes = rng.below(5000);
    b.first = static_cast<int>(rng.below(100));
    b.last = b.first + static_cast<int>(rng.below(12));
    buffers.push_back(b);
  }
  const std::size_t size = assign_arena(buffers);
  std::size_t most_alive = 0;
  for (int step = 0; step < 112; ++step) {
    std::size_t alive = 0;
    for (const PlanBuffer& b : buffers) {
      if (b.home == Home::arena && b.first <= step && step <= b.last) alive += b.bytes;
    }
    most_alive = std::max(most_alive, alive);
  }
  EXPECT_GE(size, most_alive);
  EXPECT_LE(size, most_alive + most_alive / 4);  // best fit wastes little on such a mix
  for (const PlanBuffer& a : buffers) {
    if (a.home == Home::fixed) continue;
    EXPECT_EQ(a.offset % 64, 0u);
    EXPECT_LE(a.offset + a.bytes, size);
    for (const PlanBuffer& b : buffers) {
      if (&a == &b || b.home == Home::fixed || a.last < b.first || b.last < a.first) continue;
      EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset);
    }
  }
}

TEST(Arena, AChainNeedsTwoBuffers) {
  std::vector<PlanBuffer> chain(10);
  for (int i = 0; i < 10; ++i) {
    chain[static_cast<std::size_t>(i)].bytes = 640;
    chain[static_cast<std::size_t>(i)].first = i;
    chain[static_cast<std::size_t>(i)].last = i + 1;
  }
  EXPECT_EQ(assign_arena(chain), 1280u);
}

}  // namespace
}  // namespace thimble::runtime
