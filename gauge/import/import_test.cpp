// The importers on small models made in code: numbers worked out by hand.
#include "gauge/import/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "gauge/testing/tiny_models.h"
#include "graph/reference.h"

namespace thimble::gauge {
namespace {

using namespace testing;
using graph::Tensor;
using Floats = std::vector<float>;

Import imported(const Model& model, const ImportOptions& options = {}) {
  Import in = import_model(model, options);
  EXPECT_EQ(in.stopped.value_or(""), "");
  return in;
}

Floats run(const Import& in, const std::vector<Tensor>& inputs, std::size_t output = 0) {
  const auto program = graph::make_reference_executor()->compile(in.graph, in.weights, {});
  const Tensor y = (*program)(inputs)[output].to(DType::f32);
  return {y.as<float>().begin(), y.as<float>().end()};
}

void expect_near(const Floats& got, const Floats& wanted, double tolerance = 1e-5) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << "element " << i;
}

int count(const Import& in, std::string_view op) {
  int n = 0;
  for (const graph::Node& node : in.graph.nodes) n += graph::op_name(node.op) == op ? 1 : 0;
  return n;
}

Model tflite(const std::string& bytes) { return read_tflite(bytes_of(bytes)); }
Model onnx(const std::string& bytes) { return read_onnx(bytes_of(bytes)); }

// One operator over "x", with constants behind it.
std::string one_op(std::int32_t code, std::vector<std::int32_t> in_shape, std::vector<std::int32_t> out_shape,
                   std::vector<TinyTensor> constants, std::vector<TinyOption> options) {
  TinyGraph g;
  g.tensors.push_back({std::move(in_shape)});
  std::vector<std::int32_t> inputs{0};
  for (TinyTensor& t : constants) {
    inputs.push_back(static_cast<std::int32_t>(g.tensors.size()));
    g.tensors.push_back(std::move(t));
  }
  const auto out = static_cast<std::int32_t>(g.tensors.size());
  g.tensors.push_back({std::move(out_shape)});
  g.ops.push_back({code, inputs, {out}, std::move(options)});
  g.inputs = {0};
  g.outputs = {out};
  return make_tflite({g});
}

TEST(Tflite, ConvolutionWithSamePaddingPutsTheOddZeroBehind) {
  // 4 columns, kernel 3, stride 2, SAME: one zero, behind.
  const std::string bytes =
      one_op(3, {1, 1, 4, 1}, {1, 1, 2, 1}, {{{1, 1, 3, 1}, 0, floats({1, 10, 100})}, {{1}, 0, floats({0.5f})}},
             {option_byte(4, 0), option_i32(6, 2), option_i32(8, 1)});
  const Import in = imported(tflite(bytes));
  expect_near(run(in, {Tensor::of({1, 1, 4, 1}, Floats{1, 2, 3, 4})}), {321.5f, 43.5f});
}

TEST(Tflite, DepthwiseConvolutionKeepsChannelsApart) {
  const std::string bytes = one_op(4, {1, 2, 1, 2}, {1, 1, 1, 2}, {{{1, 2, 1, 2}, 0, floats({1, 10, 2, 20})}},
                                   {option_byte(4, 1), option_i32(6, 1), option_i32(8, 1), option_i32(10, 1)});
  expect_near(run(imported(tflite(bytes)), {Tensor::of({1, 2, 1, 2}, Floats{1, 2, 3, 4})}), {1 + 6, 20 + 80});
}

TEST(Tflite, FullyConnectedFlattensAndApplies) {
  const std::string bytes =
      one_op(9, {1, 2, 2}, {1, 2}, {{{2, 4}, 0, floats({1, 1, 1, 1, -1, 0, 0, 0})}, {{2}, 0, floats({1, 0})}},
             {option_byte(4, 1)});  // relu
  expect_near(run(imported(tflite(bytes)), {Tensor::of({1, 2, 2}, Floats{1, 2, 3, 4})}), {11, 0});
}

TEST(Tflite, Relu6AndHardSwish) {
  expect_near(run(imported(tflite(one_op(21, {4}, {4}, {}, {}))), {Tensor::of({4}, Floats{-1, 3, 6, 9})}),
              {0, 3, 6, 6});
  expect_near(run(imported(tflite(one_op(117, {3}, {3}, {}, {}))), {Tensor::of({3}, Floats{-4, 1, 5})}),
              {0, 4.0f / 6, 5});
}

TEST(Tflite, HalfPrecisionWeightsPassThroughDequantize) {
  TinyGraph g;
  g.tensors = {{{1, 2}}, {{1, 2}, 1, halves({0.5f, -2})}, {{1, 2}}, {{1, 1}}};
  g.ops = {{6, {1}, {2}}, {9, {0, 2}, {3}}};
  g.inputs = {0};
  g.outputs = {3};
  const Import in = imported(tflite(make_tflite({g})));
  expect_near(run(in, {Tensor::of({1, 2}, Floats{4, 1})}), {0});
  EXPECT_EQ(count(in, "cast"), 0);
  EXPECT_EQ(in.graph.nodes.size(), 2u) << "the two weights, and the product";
}

TEST(Tflite, QuantisedWeightsAreTheirRealNumbers) {
  TinyGraph g;
  // Per channel along axis 0: scales 0.5 and 2, zero points 0 and 1.
  g.tensors = {{{1, 2}}, {{2, 2}, 9, int8s({2, 4, 3, -1}), {0.5f, 2}, {0, 1}, 0}, {{1, 2}}};
  g.ops = {{9, {0, 1}, {2}}};
  g.inputs = {0};
  g.outputs = {2};
  const Import in = imported(tflite(make_tflite({g})));
  expect_near(run(in, {Tensor::of({1, 2}, Floats{1, 1})}), {3, 0});
  EXPECT_FALSE(in.notes.empty());
}

TEST(Tflite, PaddingBecomesTheConvolutionsOwn) {
  TinyGraph g;
  g.tensors = {{{1, 2, 2, 1}},
               {{4, 2}, 2, ints({0, 0, 1, 1, 1, 1, 0, 0})},
               {{1, 4, 4, 1}},
               {{1, 3, 3, 1}, 0, floats({1, 1, 1, 1, 1, 1, 1, 1, 1})},
               {{1, 2, 2, 1}}};
  g.ops = {{34, {0, 1}, {2}}, {3, {2, 3}, {4}, {option_byte(4, 1), option_i32(6, 1), option_i32(8, 1)}}};
  g.inputs = {0};
  g.outputs = {4};
  const Import in = imported(tflite(make_tflite({g})));
  expect_near(run(in, {Tensor::of({1, 2, 2, 1}, Floats{1, 2, 3, 4})}), {10, 10, 10, 10});
  EXPECT_EQ(count(in, "pad"), 0);
}

TEST(Tflite, ResizesOnItsThreeGrids) {
  const auto resized = [](int corners, int half) {
    const std::string bytes = one_op(23, {1, 1, 2, 1}, {1, 1, 4, 1}, {{{2}, 2, ints({1, 4})}},
                                     {option_byte(8, corners), option_byte(10, half)});
    return run(imported(tflite(bytes)), {Tensor::of({1, 1, 2, 1}, Floats{0, 3})});
  };
  expect_near(resized(0, 0), {0, 1.5f, 3, 3});
  expect_near(resized(1, 0), {0, 1, 2, 3});
  expect_near(resized(0, 1), {0, 0.75f, 2.25f, 3});
}

TEST(Tflite, TransposedConvolutionWithAndWithoutOverlap) {
  // 2x2 tiles side by side, MediaPipe's custom operator with a bias: x times the filter, pixel by pixel.
  TinyGraph g;
  g.tensors = {{{1, 1, 2, 1}}, {{1, 2, 2, 1}, 0, floats({1, 2, 3, 4})}, {{1}, 0, floats({0.5f})}, {{1, 2, 4, 1}}};
  g.ops = {{32, {0, 1, 2}, {3}, {}, "Convolution2DTransposeBias", ints({1, 2, 2})}};
  g.inputs = {0};
  g.outputs = {3};
  expect_near(run(imported(tflite(make_tflite({g}))), {Tensor::of({1, 1, 2, 1}, Floats{1, 10})}),
              {1.5f, 2.5f, 10.5f, 20.5f, 3.5f, 4.5f, 30.5f, 40.5f});
  // Kernel 3, stride 2, VALID along one axis: places 0..4, the middle one shared.
  TinyGraph t;
  t.tensors = {{{4}, 2, ints({1, 1, 5, 1})}, {{1, 1, 3, 1}, 0, floats({1, 10, 100})}, {{1, 1, 2, 1}}, {{1, 1, 5, 1}}};
  t.ops = {{67, {0, 1, 2}, {3}, {option_byte(4, 1), option_i32(6, 2), option_i32(8, 1)}}};
  t.inputs = {2};
  t.outputs = {3};
  expect_near(run(imported(tflite(make_tflite({t}))), {Tensor::of({1, 1, 2, 1}, Floats{1, 2})}), {1, 10, 102, 20, 200});
}

TEST(Tflite, StridedSliceWithMasks) {
  // x[1:, ::-1, 0] of (2, 3, 2)
  const std::string bytes =
      one_op(45, {2, 3, 2}, {1, 3}, {{{3}, 2, ints({1, 0, 0})}, {{3}, 2, ints({0, 0, 1})}, {{3}, 2, ints({1, -1, 1})}},
             {option_i32(4, 2), option_i32(6, 3), option_i32(12, 4)});
  std::vector<float> x(12);
  for (int i = 0; i < 12; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i);
  expect_near(run(imported(tflite(bytes)), {Tensor::of({2, 3, 2}, x)}), {10, 8, 6});
}

TEST(Tflite, BothBranchesOfAnIfAreChosenFromByData) {
  TinyGraph main, yes, no;
  main.tensors = {{{1}}, {{1}, 0, floats({0})}, {{1}, 6}, {{1}}};
  main.ops = {{61, {0, 1}, {2}}, {118, {2, 0}, {3}, {option_i32(4, 1), option_i32(6, 2)}}};  // GREATER, IF
  main.inputs = {0};
  main.outputs = {3};
  yes.tensors = {{{1}}, {{1}}};
  yes.ops = {{75, {0}, {1}}};  // SQRT
  yes.inputs = {0};
  yes.outputs = {1};
  no = yes;
  no.ops[0].code = 59;  // NEG
  const Import in = imported(tflite(make_tflite({main, yes, no})));
  expect_near(run(in, {Tensor::of({1}, Floats{9})}), {3});
  expect_near(run(in, {Tensor::of({1}, Floats{-2})}), {2});
}

TEST(Tflite, UnknownOperatorsAreNamedAndCounted) {
  TinyGraph g;
  g.tensors = {{{2}}, {{2}}, {{2}}, {{2}}};
  g.ops = {{32, {0}, {1}, {}, "Secret"}, {24, {1}, {2}, {}}, {32, {2}, {3}, {}, "Secret"}};
  g.inputs = {0};
  g.outputs = {3};
  const Import in = import_model(tflite(make_tflite({g})), {});
  ASSERT_TRUE(in.stopped);
  EXPECT_NE(in.stopped->find("CUSTOM:Secret"), std::string::npos) << *in.stopped;
  EXPECT_EQ(in.unknown, (std::map<std::string, int>{{"CUSTOM:Secret", 2}, {"RNN", 1}}));
}

TEST(Tflite, AShapeThatComesOutOtherwiseIsNotBelieved) {
  const Import in = import_model(tflite(one_op(19, {4}, {5}, {}, {})), {});
  ASSERT_TRUE(in.stopped);
  EXPECT_NE(in.stopped->find("the file says [5]"), std::string::npos) << *in.stopped;
}

// ---- ONNX ----

TEST(Onnx, ChannelsFirstConvolutionsRunChannelsLastWithoutTranspositions) {
  // conv 1x1 (2 to 2 channels), relu, conv 1x1: one transposition in, one out.
  const std::string graph =
      onnx_graph({{"Conv", {"x", "w"}, {"a"}}, {"Relu", {"a"}, {"b"}}, {"Conv", {"b", "w"}, {"y"}}},
                 {onnx_tensor("w", {2, 2, 1, 1}, Floats{1, 2, 3, -4})}, {{"x", {1, 2, 2, 3}}}, {{"y", {1, 2, 2, 3}}});
  const Import in = imported(onnx(make_onnx(graph, 13)));
  EXPECT_LE(count(in, "transpose"), 2);
  std::vector<float> x(12, 1.0f);
  x[0] = 2;  // channel 0, place 0
  // place 0: (2, 1) -> (4, 2) -> (8, 4); others: (1, 1) -> (3, -1 -> 0) -> (3, 9)
  expect_near(run(in, {Tensor::of({1, 2, 2, 3}, x)}), {8, 3, 3, 3, 3, 3, 4, 9, 9, 9, 9, 9});
}

TEST(Onnx, ShapeArithmeticLeavesNoTrace) {
  // Reshape to (shape(x)[0], -1) by Shape, Gather, Unsqueeze, Concat.
  const std::string graph = onnx_graph(
      {{"Shape", {"x"}, {"s"}},
       {"Gather", {"s", "zero"}, {"n"}, {attribute("axis", std::int64_t{0})}},
       {"Unsqueeze", {"n", "axes"}, {"n1"}},
       {"Concat", {"n1", "rest"}, {"to"}, {attribute("axis", std::int64_t{0})}},
       {"Reshape", {"x", "to"}, {"y"}}},
      {onnx_tensor("zero", {}, std::vector<std::int64_t>{0}), onnx_tensor("axes", {1}, std::vector<std::int64_t>{0}),
       onnx_tensor("rest", {1}, std::vector<std::int64_t>{-1})},
      {{"x", {-1, 2, 3}}}, {{"y", {-1, -1}}});
  const Import in = imported(onnx(make_onnx(graph, 13)), {.batch = 2});
  EXPECT_EQ(in.graph.nodes.size(), 1u);
  EXPECT_EQ(in.graph.type(in.graph.outputs[0].value).shape, (graph::Shape{2, 6}));
}

TEST(Onnx, BatchNormalizationGoesIntoTheConvolution) {
  const std::string graph = onnx_graph(
      {{"Conv", {"x", "w", "b"}, {"a"}},
       {"BatchNormalization", {"a", "s", "t", "m", "v"}, {"y"}, {attribute("epsilon", 0.0f)}}},
      {onnx_tensor("w", {1, 1, 1, 1}, Floats{3}), onnx_tensor("b", {1}, Floats{1}), onnx_tensor("s", {1}, Floats{2}),
       onnx_tensor("t", {1}, Floats{5}), onnx_tensor("m", {1}, Floats{4}), onnx_tensor("v", {1}, Floats{4})},
      {{"x", {1, 1, 1, 2}}}, {{"y", {1, 1, 1, 2}}});
  const Import in = imported(onnx(make_onnx(graph, 13)));
  EXPECT_EQ(count(in, "conv2d"), 1);
  EXPECT_EQ(count(in, "binary"), 0);
  expect_near(run(in, {Tensor::of({1, 1, 1, 2}, Floats{1, 2})}), {4 - 4 + 5, 7 - 4 + 5});
}

TEST(Onnx, PoolingWithCeilAndPaddingThatCounts) {
  const auto pooled = [](std::string type, std::vector<TinyAttribute> attributes, const Floats& x) {
    attributes.push_back(attribute("kernel_shape", std::vector<std::int64_t>{2}));
    attributes.push_back(attribute("strides", std::vector<std::int64_t>{2}));
    const auto n = static_cast<std::int64_t>(x.size());
    const std::string graph =
        onnx_graph({{std::move(type), {"x"}, {"y"}, attributes}}, {}, {{"x", {1, 1, n}}}, {{"y", {1, 1, -1}}});
    return run(imported(onnx(make_onnx(graph, 13))), {Tensor::of({1, 1, n}, x)});
  };
  expect_near(pooled("MaxPool", {attribute("ceil_mode", std::int64_t{1})}, {1, 5, 2}), {5, 2});
  expect_near(pooled("MaxPool", {}, {1, 5, 2}), {5});
  const TinyAttribute pads = attribute("pads", std::vector<std::int64_t>{1, 1});
  expect_near(pooled("AveragePool", {pads}, {4, 6}), {4, 6});
  expect_near(pooled("AveragePool", {pads, attribute("count_include_pad", std::int64_t{1})}, {4, 6}), {2, 3});
}

TEST(Onnx, LstmOfTwoStepsByHand) {
  // One unit: gates in the order input, output, forget, cell; all recurrent weights 0.5.
  const std::string graph = onnx_graph(
      {{"LSTM", {"x", "w", "r", "b"}, {"y", "h", "c"}, {attribute("hidden_size", std::int64_t{1})}}},
      {onnx_tensor("w", {1, 4, 1}, Floats{1, 2, -1, 0.5f}), onnx_tensor("r", {1, 4, 1}, Floats{0.5f, 0.5f, 0.5f, 0.5f}),
       onnx_tensor("b", {1, 8}, Floats{0.1f, 0, 0, 0, 0, 0.2f, 0, 0})},
      {{"x", {2, 1, 1}}}, {{"y", {2, 1, 1, 1}}, {"h", {1, 1, 1}}, {"c", {1, 1, 1}}});
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  double h = 0, c = 0;
  Floats wanted;
  for (const double x : {1.0, -0.5}) {
    const double i = sigmoid(x + 0.5 * h + 0.1), o = sigmoid(2 * x + 0.5 * h + 0.2), f = sigmoid(-x + 0.5 * h),
                 g = std::tanh(0.5 * x + 0.5 * h);
    c = f * c + i * g;
    h = o * std::tanh(c);
    wanted.push_back(static_cast<float>(h));
  }
  const Import in = imported(onnx(make_onnx(graph, 14)));
  const std::vector<Tensor> x{Tensor::of({2, 1, 1}, Floats{1, -0.5f})};
  expect_near(run(in, x), wanted, 1e-6);
  expect_near(run(in, x, 2), {static_cast<float>(c)}, 1e-6);
}

TEST(Onnx, ReverseGruStartsAtTheEnd) {
  const auto of = [](const char* direction, const Floats& x) {
    const std::string graph =
        onnx_graph({{"GRU",
                     {"x", "w", "r"},
                     {"", "h"},
                     {attribute("hidden_size", std::int64_t{1}), attribute("direction", std::string(direction))}}},
                   {onnx_tensor("w", {1, 3, 1}, Floats{1, -1, 2}), onnx_tensor("r", {1, 3, 1}, Floats{0.5f, 1, -1})},
                   {{"x", {2, 1, 1}}}, {{"h", {1, 1, 1}}});
    return run(imported(onnx(make_onnx(graph, 14))), {Tensor::of({2, 1, 1}, x)});
  };
  expect_near(of("reverse", {3, 0.25f}), of("forward", {0.25f, 3}), 1e-6);
  // One step from zero: z = sigmoid(x), h = (1 - z) tanh(2 x).
  const double x = 0.25, z = 1 / (1 + std::exp(-x)), first = (1 - z) * std::tanh(2 * x);
  const double z2 = 1 / (1 + std::exp(-(3 + 0.5 * first))), r2 = 1 / (1 + std::exp(-(-3 + first)));
  const double fresh = std::tanh(6 - r2 * first);
  expect_near(of("forward", {0.25f, 3}), {static_cast<float>((1 - z2) * fresh + z2 * first)}, 1e-6);
}

TEST(Onnx, AnIfOnAFixedInputTakesOneBranch) {
  const std::string yes = onnx_graph({{"Add", {"x", "x"}, {"a"}}}, {}, {}, {{"a", {-1}}});
  const std::string no =
      onnx_graph({{"Concat", {"x", "x"}, {"b"}, {attribute("axis", std::int64_t{0})}}}, {}, {}, {{"b", {-1}}});
  const std::string graph =
      onnx_graph({{"Equal", {"rate", "k"}, {"c"}},
                  {"If", {"c"}, {"y"}, {graph_attribute("then_branch", yes), graph_attribute("else_branch", no)}}},
                 {onnx_tensor("k", {}, std::vector<std::int64_t>{16})}, {{"x", {2}}, {"rate", {}, 7}}, {{"y", {-1}}});
  const std::string bytes = make_onnx(graph, 13);
  const Model model = onnx(bytes);
  const std::vector<Tensor> x{Tensor::of({2}, Floats{1, 2})};
  expect_near(run(imported(model, {.values = {{"rate", 16}}}), x), {2, 4});
  expect_near(run(imported(model, {.values = {{"rate", 8}}}), x), {1, 2, 1, 2});
  const Import open = import_model(model, {});
  ASSERT_TRUE(open.stopped);
  EXPECT_NE(open.stopped->find("'rate'"), std::string::npos) << *open.stopped;
}

TEST(Onnx, NearestResizeFollowsItsRounding) {
  const auto resized = [](const std::string& grid, const std::string& rounding, std::int64_t to) {
    const std::string graph =
        onnx_graph({{"Resize",
                     {"x", "", "", "sizes"},
                     {"y"},
                     {attribute("coordinate_transformation_mode", grid), attribute("nearest_mode", rounding)}}},
                   {onnx_tensor("sizes", {4}, std::vector<std::int64_t>{1, 1, 1, to})}, {{"x", {1, 1, 1, 3}}},
                   {{"y", {1, 1, 1, to}}});
    return run(imported(onnx(make_onnx(graph, 13))), {Tensor::of({1, 1, 1, 3}, Floats{0, 1, 2})});
  };
  expect_near(resized("asymmetric", "floor", 6), {0, 0, 1, 1, 2, 2});
  expect_near(resized("asymmetric", "ceil", 6), {0, 1, 1, 2, 2, 2});
  expect_near(resized("half_pixel", "round_prefer_floor", 6), {0, 0, 1, 1, 2, 2});
  expect_near(resized("align_corners", "round_prefer_floor", 5), {0, 0, 1, 1, 2});
}

TEST(Onnx, QuantisedValuesAreWholeNumbers) {
  const std::string graph = onnx_graph({{"DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}}}, {}, {{"x", {3}}},
                                       {{"q", {3}}, {"s", {}}, {"z", {}}});
  const Import in = imported(onnx(make_onnx(graph, 13)));
  const std::vector<Tensor> x{Tensor::of({3}, Floats{-1, 0, 4.1f})};
  expect_near(run(in, x, 1), {5.1f / 255}, 1e-7);
  expect_near(run(in, x, 2), {50});
  expect_near(run(in, x), {0, 50, 255});
}

TEST(Onnx, TensorsInOtherFilesStayInTheFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "thimble_onnx_outside_test";
  std::filesystem::create_directories(folder);
  write_file(folder / "w.bin", "ABCD" + floats({2, 3}));
  const auto model = [&](const std::string& file, std::int64_t bytes) {
    const std::string graph =
        onnx_graph({{"Mul", {"x", "w"}, {"y"}}}, {onnx_outside("w", {2}, file, 4, bytes)}, {{"x", {2}}}, {{"y", {2}}});
    return make_onnx(graph, 13);
  };
  const std::string good = model("w.bin", 8);
  const Import in = imported(read_onnx(bytes_of(good), folder));
  expect_near(run(in, {Tensor::of({2}, Floats{1, 1})}), {2, 3});
  for (const std::string& bad :
       {model("../w.bin", 8), model("/etc/hostname", 8), model("w.bin", 80), model("none", 8)}) {
    EXPECT_THROW(read_onnx(bytes_of(bad), folder), Error);
  }
  EXPECT_THROW(read_onnx(bytes_of(good)), Error) << "without a folder";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace thimble::gauge
