// The analysis on small models made in code.
#include "gauge/analysis/analysis.h"

#include <gtest/gtest.h>

#include "gauge/testing/tiny_models.h"

namespace thimble::gauge {
namespace {

using namespace testing;
using Floats = std::vector<float>;

std::vector<float> ramp(int n, float step = 1) {
  std::vector<float> out;
  for (int i = 0; i < n; ++i) out.push_back(static_cast<float>(i) * step);
  return out;
}

// conv (3x3, 2 to 4 channels, stride 2, SAME, relu) and a fully connected layer of 4 * 16 to 10.
std::string network(float factor, bool half = false, std::int32_t weights_first = 0) {
  TinyGraph g;
  const auto w = ramp(72, factor);
  const TinyTensor filter{{4, 3, 3, 2}, static_cast<std::uint8_t>(half ? 1 : 0), half ? halves(w) : floats(w)};
  const TinyTensor dense{{10, 64}, 0, floats(ramp(640, 0.5f))};
  g.tensors = {{{1, 8, 8, 2}}, filter, {{1, 4, 4, 4}}, dense, {{1, 10}}};
  if (weights_first != 0) std::swap(g.tensors[1], g.tensors[3]);
  const std::int32_t f = weights_first != 0 ? 3 : 1, d = weights_first != 0 ? 1 : 3;
  g.ops = {{3, {0, f, -1}, {2}, {option_byte(4, 0), option_i32(6, 2), option_i32(8, 2), option_byte(10, 1)}},
           {9, {2, d}, {4}}};
  g.inputs = {0};
  g.outputs = {4};
  return make_tflite({g});
}

Analysis of(const std::string& bytes, const std::string& name = "m.tflite") {
  return analyze(read_tflite(bytes_of(bytes)), name, bytes_of(bytes), {});
}

TEST(Analysis, CountsMacsAndParametersPerLayer) {
  const Analysis a = of(network(1));
  ASSERT_EQ(a.layers.size(), 2u);
  EXPECT_EQ(a.layers[0].operations.macs, 4 * 4 * 4 * 3 * 3 * 2);
  EXPECT_EQ(a.layers[1].operations.macs, 640);
  EXPECT_EQ(a.total.flops(), 2 * (1152 + 640));
  EXPECT_EQ(a.layers[0].parameters, 72);
  EXPECT_EQ(a.parameters, 712);
  EXPECT_EQ(a.operators, (std::map<std::string, int>{{"CONV_2D", 1}, {"FULLY_CONNECTED", 1}}));
  EXPECT_TRUE(a.imported) << a.import_note;
  EXPECT_EQ(a.uncounted, 0);
  EXPECT_EQ(a.quantisation, "none");
}

TEST(Analysis, StorageInHalfPrecisionIsNotQuantisedArithmetic) {
  TinyGraph g;
  g.tensors = {{{1, 64}}, {{16, 64}, 1, halves(ramp(1024))}, {{16, 64}}, {{1, 16}}};
  g.ops = {{6, {1}, {2}}, {9, {0, 2}, {3}}};
  g.inputs = {0};
  g.outputs = {3};
  const Analysis a = of(make_tflite({g}));
  EXPECT_EQ(a.quantisation, "f16 weights");
  EXPECT_EQ(a.layers[1].parameters, 1024) << "through DEQUANTIZE";
  EXPECT_EQ(a.near_zero, 1);
  EXPECT_EQ(a.weights.at("f16").bytes, 2048u);
}

TEST(Analysis, TheNetworkIsTheSameWhateverTheOrderOfItsBuffers) {
  const Analysis a = of(network(1)), b = of(network(1, false, 1)), c = of(network(2));
  EXPECT_NE(a.sha256, b.sha256);
  EXPECT_EQ(a.canonical, b.canonical);
  EXPECT_NE(a.canonical, c.canonical);
}

TEST(Analysis, SharingTellsFineTuningFromCopies) {
  const std::vector<Analysis> models{of(network(1)), of(network(1, false, 1)), of(network(2))};
  const auto pairs = sharing(models);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].verdict(), "same network");
  EXPECT_EQ(pairs[1].verdict(), "fine-tuned");
  EXPECT_EQ(pairs[1].tensors, 1);
  EXPECT_EQ(pairs[1].bytes, 2560u);
  EXPECT_EQ(pairs[1].layers_apart, 1);
  EXPECT_NEAR(pairs[1].share(), 2560.0 / 2848, 1e-9);
}

TEST(Analysis, ClusteredWeightsAreSeen) {
  TinyGraph g;
  std::vector<float> few, many;
  for (int i = 0; i < 4096; ++i) {
    few.push_back(static_cast<float>(i % 16) - 8.5f);
    many.push_back(static_cast<float>(i) + 0.5f);
  }
  g.tensors = {{{1, 64}}, {{64, 64}, 0, floats(few)}, {{1, 64}}, {{64, 64}, 0, floats(many)}, {{1, 64}}};
  g.ops = {{9, {0, 1}, {2}}, {9, {2, 3}, {4}}};
  g.inputs = {0};
  g.outputs = {4};
  const Analysis a = of(make_tflite({g}));
  EXPECT_EQ(a.clustered_tensors, 1);
  EXPECT_EQ(a.clustered_candidates, 2);
}

TEST(Analysis, GuessesCarryTheirEvidence) {
  TinyGraph g;
  g.tensors = {{{1, 32, 32, 3}}, {{4, 3, 3, 3}, 0, floats(ramp(108))}, {{1, 32, 32, 4}}};
  g.ops = {{3, {0, 1}, {2}, {option_byte(4, 0), option_i32(6, 1), option_i32(8, 1)}}};
  g.inputs = {0};
  g.outputs = {2};
  const Analysis a = of(make_tflite({g}), "apps/assets/unnamed.tflite");
  EXPECT_EQ(a.modality.what, "image");
  EXPECT_EQ(a.task.what, "segmentation");
  ASSERT_EQ(a.task.evidence.size(), 1u);
  EXPECT_NE(a.task.evidence[0].find("[1,32,32,4]"), std::string::npos);
}

TEST(Analysis, OnnxShapesComeFromTheImport) {
  const std::string graph =
      onnx_graph({{"Conv", {"x", "w"}, {"a"}, {attribute("strides", std::vector<std::int64_t>{2, 2})}},
                  {"Flatten", {"a"}, {"f"}},
                  {"Gemm", {"f", "v"}, {"y"}, {attribute("transB", std::int64_t{1})}}},
                 {onnx_tensor("w", {4, 3, 2, 2}, ramp(48)), onnx_tensor("v", {5, 64}, ramp(320))},
                 {{"x", {-1, 3, 8, 8}}}, {{"y", {-1, 5}}});
  const std::string bytes = make_onnx(graph, 13);
  const Analysis a = analyze(read_onnx(bytes_of(bytes)), "m.onnx", bytes_of(bytes), {});
  EXPECT_EQ(a.total.macs, 4 * 4 * 4 * 12 + 320);
  EXPECT_EQ(a.parameters, 368);
  ASSERT_FALSE(a.notes.empty());
  EXPECT_EQ(a.notes[0], "input 'x' bound to [1,3,8,8]");
}

TEST(Analysis, AnUnknownOperatorLeavesTheRestCounted) {
  TinyGraph g;
  g.tensors = {{{1, 4}}, {{2, 4}, 0, floats(ramp(8))}, {{1, 2}}, {{1, 2}}};
  g.ops = {{9, {0, 1}, {2}}, {32, {2}, {3}, {}, "Mystery"}};
  g.inputs = {0};
  g.outputs = {3};
  const Analysis a = of(make_tflite({g}));
  EXPECT_EQ(a.total.macs, 8);
  EXPECT_EQ(a.uncounted, 1);
  EXPECT_FALSE(a.imported);
  EXPECT_EQ(a.unknown.at("CUSTOM:Mystery"), 1);
}

}  // namespace
}  // namespace thimble::gauge
