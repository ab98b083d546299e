// Shape rules of all ops: the results, and every numbered constraint refused by a message that names op and cause.
#include <gtest/gtest.h>

#include <limits>

#include "graph/expect_error.h"
#include "graph/op.h"

namespace thimble::graph {
namespace {

using Types = std::vector<TensorType>;

TensorType f32(Shape shape) { return {DType::f32, std::move(shape)}; }
TensorType i32(Shape shape) { return {DType::i32, std::move(shape)}; }
TensorType boolean(Shape shape) { return {DType::boolean, std::move(shape)}; }

void gives(const Op& op, const Types& in, const TensorType& wanted) {
  EXPECT_EQ(to_string(infer_type(op, in)), to_string(wanted)) << op_name(op);
}

void refused(const Op& op, const Types& in, std::initializer_list<std::string> parts) {
  const std::string name = fmt::format("[{}]", op_name(op));
  expect_error([&] { infer_type(op, in); }, {name});
  expect_error([&] { infer_type(op, in); }, parts);
}

Attention heads(std::int64_t count, std::int64_t kv) { return {.heads = count, .kv_heads = kv}; }

TEST(ShapeRule, Constant) {
  gives(Constant{DType::i32, {2, 3}, {7}}, {}, i32({2, 3}));
  gives(Constant{DType::f32, {}, {7}}, {}, f32({}));
  refused(Constant{DType::f32, {3}, {1, 2}}, {}, {"2 values", "[3]"});
  refused(Constant{DType::f32, {4097}, {1}}, {}, {"[4097]", "4096"});
  refused(Constant{DType::f32, {}, {1}}, {f32({})}, {"1 inputs came"});
}

TEST(ShapeRule, Unary) {
  gives(Unary{UnaryKind::gelu}, {f32({2, 3})}, f32({2, 3}));
  gives(Unary{UnaryKind::neg}, {i32({4})}, i32({4}));
  gives(Unary{UnaryKind::logical_not}, {boolean({4})}, boolean({4}));
  for (auto kind : {UnaryKind::exp, UnaryKind::sqrt, UnaryKind::relu, UnaryKind::floor}) {
    refused(Unary{kind}, {i32({2})}, {"C1", "floating", "i32[2]"});
  }
  refused(Unary{UnaryKind::logical_not}, {f32({2})}, {"C1", "bool"});
  refused(Unary{UnaryKind::neg}, {boolean({2})}, {"C1"});
  refused(Unary{}, {}, {"0 inputs came, 1 were wanted"});
}

TEST(ShapeRule, BinaryAndWhere) {
  gives(Binary{BinaryKind::add}, {f32({4, 1}), f32({3})}, f32({4, 3}));
  gives(Binary{BinaryKind::less}, {i32({4}), i32({})}, boolean({4}));
  refused(Binary{}, {f32({4}), i32({4})}, {"C1: equal dtypes"});
  refused(Binary{}, {f32({4}), f32({3})}, {"[4]", "[3]", "do not broadcast"});
  gives(Where{}, {boolean({3, 1}), f32({}), f32({2})}, f32({3, 2}));
  refused(Where{}, {f32({2}), f32({2}), f32({2})}, {"C1: a bool condition"});
  refused(Where{}, {boolean({2}), f32({2}), i32({2})}, {"C2: equal dtypes"});
  gives(Cast{DType::i32}, {f32({2, 2})}, i32({2, 2}));
}

TEST(ShapeRule, Movement) {
  gives(Reshape{{6}}, {f32({2, 3})}, f32({6}));
  refused(Reshape{{5}}, {f32({2, 3})}, {"C1", "[5]", "f32[2,3]"});
  refused(Reshape{{-6}}, {f32({2, 3})}, {"negative"});
  gives(Transpose{{2, 0, 1}}, {f32({2, 3, 4})}, f32({4, 2, 3}));
  for (const Ints& perm : {Ints{0, 0}, Ints{0}, Ints{0, 2}, Ints{-1, 0}})
    refused(Transpose{perm}, {f32({2, 3})}, {"C1", "permutation"});
  gives(Broadcast{{4, 3}}, {f32({1, 3})}, f32({4, 3}));
  refused(Broadcast{{4, 1}}, {f32({1, 3})}, {"[1,3]", "[4,1]"});
  gives(Slice{1, 1, 8, 3}, {f32({2, 9})}, f32({2, 3}));
  for (const Slice& s : {Slice{0, -1, 2}, Slice{0, 3, 2}, Slice{0, 0, 5}}) refused(s, {f32({4})}, {"C1", "axis 0"});
  refused(Slice{0, 0, 4, 0}, {f32({4})}, {"C2", "0 came"});
  refused(Slice{1, 0, 1}, {f32({4})}, {"axis 1 is out of range"});
  gives(Pad{{1, 0}, {2, 3}}, {f32({2, 2})}, f32({5, 5}));
  refused(Pad{{1}, {2}}, {f32({2, 2})}, {"2 axes"});
  refused(Pad{{-1, 0}, {0, 0}}, {f32({2, 2})}, {"negative"});
  gives(Concat{1}, {f32({2, 3}), f32({2, 4})}, f32({2, 7}));
  refused(Concat{1}, {f32({2, 3}), f32({3, 4})}, {"do not join along axis 1"});
  refused(Concat{0}, {f32({2}), i32({2})}, {"do not join"});
  refused(Concat{2}, {f32({2, 3})}, {"axis 2"});
  gives(Gather{1}, {f32({2, 9, 4}), i32({5, 3})}, f32({2, 5, 3, 4}));
  refused(Gather{0}, {f32({2}), f32({2})}, {"i32 indices"});
  refused(Gather{0}, {f32({0, 4}), i32({2})}, {"at least one row"});
}

TEST(ShapeRule, ReductionsAndProducts) {
  gives(Reduce{ReduceKind::sum, {0, 2}, true}, {f32({2, 3, 4})}, f32({1, 3, 1}));
  gives(Reduce{ReduceKind::sum, {0, 2}, false}, {f32({2, 3, 4})}, f32({3}));
  for (const Ints& axes : {Ints{1, 0}, Ints{0, 0}, Ints{}})
    refused(Reduce{ReduceKind::max, axes}, {f32({2, 3})}, {"ascending"});
  refused(Reduce{ReduceKind::max, {2}}, {f32({2, 3})}, {"axis 2"});
  gives(Softmax{0}, {f32({2, 3})}, f32({2, 3}));
  refused(Softmax{-1}, {f32({2, 3})}, {"axis -1"});
  gives(MatMul{true, true}, {f32({5, 1, 3, 2}), f32({7, 4, 3})}, f32({5, 7, 2, 4}));
  refused(MatMul{}, {f32({2, 3}), f32({4, 5})}, {"inner sizes 3 and 4"});
  refused(MatMul{}, {f32({3}), f32({3, 2})}, {"matrix", "f32[3]"});
  gives(Linear{}, {f32({2, 5, 3}), f32({7, 3}), f32({7})}, f32({2, 5, 7}));
  refused(Linear{}, {f32({2, 5, 3}), f32({3, 7})}, {"weight (O, I)", "f32[3,7]"});
  refused(Linear{}, {f32({2, 3}), f32({7, 3}), f32({3})}, {"bias", "[7]"});
}

TEST(ShapeRule, Pictures) {
  gives(Conv2d{{2, 1}, {1, 0, 2, 0}, {1, 2}, 2}, {f32({1, 9, 9, 4}), f32({6, 2, 3, 3}), f32({6})}, f32({1, 5, 5, 6}));
  refused(Conv2d{}, {f32({1, 9, 9, 4}), f32({6, 3, 3, 3})}, {"weight (O, I/groups, kh, kw)"});
  refused(Conv2d{{1, 1}, {0, 0, 0, 0}, {1, 1}, 4}, {f32({1, 9, 9, 4}), f32({6, 1, 3, 3})}, {"weight"});
  refused(Conv2d{{1, 1}, {0, 0, 0, 0}, {1, 1}, 0}, {f32({1, 9, 9, 4}), f32({6, 4, 3, 3})}, {"weight"});
  refused(Conv2d{{0, 1}}, {f32({1, 9, 9, 4}), f32({6, 4, 3, 3})}, {"at least 1"});
  refused(Conv2d{{1, 1}, {0, 0}}, {f32({1, 9, 9, 4}), f32({6, 4, 3, 3})}, {"padding 4"});
  refused(Conv2d{}, {f32({1, 2, 9, 4}), f32({6, 4, 3, 3})}, {"window of 3 does not fit 2"});
  gives(Pool2d{PoolKind::max, {3, 3}, {2, 2}, {1, 1, 1, 1}}, {f32({1, 8, 9, 4})}, f32({1, 4, 5, 4}));
  refused(Pool2d{PoolKind::max, {2, 2}, {2, 2}, {2, 0, 0, 0}}, {f32({1, 8, 8, 4})}, {"smaller than the window"});
  gives(Resize{ResizeMode::bilinear, 5, 6}, {f32({1, 8, 8, 4})}, f32({1, 5, 6, 4}));
  refused(Resize{ResizeMode::nearest, 0, 6}, {f32({1, 8, 8, 4})}, {"0x6"});
  refused(Resize{ResizeMode::nearest, 5, 6}, {f32({1, 8, 0, 4})}, {"at least 1x1"});
  gives(PixelShuffle{2}, {f32({1, 3, 4, 8})}, f32({1, 6, 8, 2}));
  refused(PixelShuffle{2}, {f32({1, 3, 4, 6})}, {"C*r*r", "f32[1,3,4,6]"});
  gives(PixelUnshuffle{2}, {f32({1, 6, 8, 2})}, f32({1, 3, 4, 8}));
  refused(PixelUnshuffle{2}, {f32({1, 5, 8, 2})}, {"H*r"});
}

TEST(ShapeRule, NormsAndGates) {
  gives(LayerNorm{}, {f32({2, 5, 8}), f32({8}), f32({8})}, f32({2, 5, 8}));
  refused(LayerNorm{}, {f32({2, 8}), f32({7})}, {"weight", "[8]"});
  refused(LayerNorm{}, {f32({2, 8}), f32({8}), f32({8}), f32({8})}, {"4 inputs came, 1 to 3"});
  refused(RmsNorm{}, {f32({2, 8}), f32({8}), f32({8})}, {"1 to 2"});
  gives(GroupNorm{4}, {f32({2, 5, 5, 8}), f32({8}), f32({8})}, f32({2, 5, 5, 8}));
  refused(GroupNorm{3}, {f32({2, 5, 5, 8}), f32({8}), f32({8})}, {"divisible by the groups"});
  gives(Modulate{}, {f32({2, 5, 8}), f32({2, 1, 8}), f32({1, 1, 8})}, f32({2, 5, 8}));
  refused(Modulate{}, {f32({2, 5, 8}), f32({2, 1, 8}), f32({2, 5, 8})}, {"shift and scale (B, 1, C)"});
  gives(Glu{}, {f32({3, 8})}, f32({3, 4}));
  refused(Glu{}, {f32({3, 7})}, {"2C", "f32[3,7]"});
}

TEST(ShapeRule, AttentionAndSinusoidal) {
  const Types cross{f32({2, 10, 32}), f32({2, 7, 16}), f32({2, 7, 24})};
  gives(heads(4, 2), cross, f32({2, 10, 48}));
  gives(heads(4, 2), {cross[0], cross[1], cross[2], f32({1, 4, 1, 7})}, f32({2, 10, 48}));
  refused(heads(4, 3), cross, {"4 heads over 3 key heads"});
  refused(heads(0, 1), cross, {"0 heads"});
  refused(heads(4, 4), cross, {"q [2,10,32]", "k [2,7,16]"});
  refused(heads(4, 2), {cross[0], cross[1], f32({2, 8, 24})}, {"key length"});
  refused(heads(4, 2), {cross[0], cross[1], cross[2], f32({1, 4, 10, 8})}, {"do not broadcast"});
  refused(heads(4, 2), {cross[0], cross[1], cross[2], f32({10, 7})}, {"mask", "(B, heads, Tq, Tk)"});
  gives(SinusoidalEmbedding{8}, {f32({3})}, f32({3, 8}));
  refused(SinusoidalEmbedding{7}, {f32({3})}, {"C1", "even", "7"});
  refused(SinusoidalEmbedding{8}, {i32({3})}, {"floating"});
}

// Sizes near 2^63 must end in an error, not in a wrapped number.
TEST(ShapeRule, RefusesSizesThatOverflow) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max() - 1;
  const TensorType picture = f32({0, 1 << 20, 1 << 20, 4});
  for (const auto& [op, in] : std::vector<std::pair<Op, Types>>{
           {Pad{{kHuge}, {kHuge}}, {f32({4})}},
           {Concat{0}, {f32({kHuge}), f32({kHuge})}},
           {Conv2d{{1, 1}, {kHuge, 0, kHuge, 0}}, {f32({1, 4, 4, 1}), f32({1, 1, 1, 1})}},
           {Conv2d{{1, 1}, {0, 0, 0, 0}, {kHuge, 1}}, {f32({1, 4, 4, 1}), f32({1, 1, 3, 1})}},
           {Resize{ResizeMode::nearest, kHuge, kHuge}, {f32({1, 4, 4, 1})}},
           {PixelShuffle{1024}, {f32({0, kHuge, 1, 1 << 20})}},
           {Broadcast{{kHuge, kHuge}}, {f32({1, 1})}},
           {Constant{DType::f32, {kHuge, kHuge}, {0}}, {}},
       }) {
    EXPECT_NE(message_of([&] { infer_type(op, in); }), "no error") << op_name(op);
  }
}

}  // namespace
}  // namespace thimble::graph
