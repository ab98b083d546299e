// Tests of evidence: what each place proves, and that a mere mention proves little.
#include <gtest/gtest.h>

#include "gauge/detect/evidence.h"
#include "gauge/detect/names.h"
#include "gauge/detect/randomness.h"
#include "gauge/detect/word_search.h"
#include "gauge/testing/material.h"

namespace thimble::gauge {
namespace {

using namespace testing;

const Finding* find(const Evidence& e, Subject subject, std::string_view name, Place place) {
  for (const Finding& f : e.findings()) {
    if (f.subject == subject && f.name == name && f.place == place) return &f;
  }
  return nullptr;
}

int strongest(const Evidence& e, std::string_view name) {
  int level = -1;
  for (const Finding& f : e.findings()) {
    if (f.name == name) level = std::max(level, static_cast<int>(f.level));
  }
  return level;
}

TEST(WordSearch, FindsOverlappingWords) {
  const WordSearch search({"he", "she", "his", "hers"});
  std::vector<std::pair<int, std::size_t>> hits;
  search.scan(bytes_of("ushers, his"), [&](int word, std::size_t begin) { hits.emplace_back(word, begin); });
  EXPECT_EQ(hits, (std::vector<std::pair<int, std::size_t>>{{1, 1}, {0, 2}, {3, 2}, {2, 8}}));
}

TEST(Rules, MatchNames) {
  EXPECT_TRUE(matches("libQnn*.so", "libQnnHtpV75Stub.so"));
  EXPECT_TRUE(matches("*.mnn", "a.b.mnn"));
  EXPECT_FALSE(matches("libQnn*.so", "libQnnHtp.so.bak"));
  EXPECT_FALSE(matches("libncnn*.so", "libnc.so"));
  EXPECT_TRUE(matches("*a*b*", "xxaxxbxx"));
}

TEST(Evidence, AMentionIsNotABackend) {
  Evidence e;
  const std::string help(1, '\0');
  e.elf("lib/x86/libonnxruntime.so", bytes_of(make_elf({.soname = "libonnxruntime.so",
                                                        .exported = {"OrtGetApiBase"},
                                                        .rodata = help + "List of tensors for SNPE DLC input" + help +
                                                                  "QNNExecutionProvider" + help})));
  EXPECT_EQ(strongest(e, "SNPE"), 0);
  EXPECT_EQ(strongest(e, "QNN"), 0);
  EXPECT_EQ(strongest(e, "XNNPACK"), -1);
  EXPECT_EQ(strongest(e, "ONNX Runtime"), 1);
}

TEST(Evidence, GradesNativeCode) {
  Evidence e;
  const std::string zero(1, '\0');
  e.elf("lib/arm64-v8a/libapp.so",
        bytes_of(make_elf({.soname = "libapp.so",
                           .needed = {"libarm_compute.so"},
                           .imported = {"ANeuralNetworksModel_create"},
                           .rodata = zero + "/src/core/providers/xnnpack/conv.cc" + zero + "libOpenCL.so" + zero +
                                     "see libQnnHtp.so for more" + zero})));
  e.file("lib/arm64-v8a/libQnnHtpV75Stub.so");
  EXPECT_EQ(strongest(e, "XNNPACK"), 1);
  EXPECT_EQ(strongest(e, "Arm Compute Library"), 2);
  EXPECT_EQ(strongest(e, "NNAPI"), 2);
  EXPECT_EQ(strongest(e, "OpenCL"), 2);
  EXPECT_EQ(find(e, Subject::delegate, "QNN", Place::soname), nullptr);  // its name within a sentence opens nothing
  EXPECT_EQ(strongest(e, "QNN"), 3);
  EXPECT_EQ(find(e, Subject::delegate, "QNN", Place::file)->matched, "libQnnHtpV75Stub.so");
  EXPECT_EQ(find(e, Subject::delegate, "XNNPACK", Place::native)->matched, "/src/core/providers/xnnpack/conv.cc");
  EXPECT_EQ(e.machines().count("arm64-v8a"), 1u);
}

TEST(Evidence, TellsDefinedFromReferredClasses) {
  Evidence e;
  const std::string options = "Lai/onnxruntime/OrtSession$SessionOptions;";
  e.dex("classes.dex",
        bytes_of(make_dex({.defined = {"Lorg/tensorflow/lite/Interpreter;"},
                           .referenced = {options, "Lcom/amazonaws/services/rekognition/Client;"},
                           .methods = {{options, "addNnapi"}, {options, "addXnnpack"}},
                           .strings = {"https://api.openai.com/v1/chat", "models/face.tflite", "%s.tflite"},
                           .calls = {{0, 0}}})));
  EXPECT_EQ(strongest(e, "TensorFlow Lite"), 3);
  EXPECT_EQ(strongest(e, "ONNX Runtime"), 1);
  EXPECT_EQ(strongest(e, "NNAPI"), 4);
  EXPECT_EQ(strongest(e, "XNNPACK"), 1);  // referred to, and not called
  EXPECT_EQ(strongest(e, "Amazon"), 4);
  EXPECT_EQ(find(e, Subject::cloud, "OpenAI", Place::text)->matched, "https://api.openai.com/v1/chat");
  ASSERT_EQ(e.model_names().size(), 1u);
  EXPECT_EQ(e.model_names().begin()->first, "models/face.tflite");

  Evidence own;  // the library calls itself
  own.dex("classes.dex", bytes_of(make_dex({.defined = {options, "Lai/onnxruntime/Other;"},
                                            .methods = {{options, "addNnapi"}},
                                            .calls = {{1, 0}}})));
  EXPECT_EQ(strongest(own, "NNAPI"), 1);
  EXPECT_EQ(strongest(own, "ONNX Runtime"), 3);
}

TEST(Evidence, ReadsClassFilesAndManifests) {
  Evidence e;
  e.class_file("classes.jar!/ai/onnxruntime/OrtSession.class");
  e.class_file("classes.jar!/ai/onnxruntime/OnnxTensor.class");
  const Finding* f = find(e, Subject::framework, "ONNX Runtime", Place::type);
  ASSERT_NE(f, nullptr);
  EXPECT_EQ(f->path, "classes.jar");
  EXPECT_EQ(f->count, 2u);
  EXPECT_EQ(f->level, Level::shipped);
  e.manifest("AndroidManifest.xml",
             read_axml_manifest(bytes_of(
                 make_axml({.permissions = {}, .meta_data = {{"com.google.mlkit.vision.DEPENDENCIES", "ocr"}}}))));
  EXPECT_EQ(strongest(e, "ML Kit at install time"), 4);
}

TEST(Randomness, TellsRandomFromDenseFromNumbers) {
  for (const std::size_t size : {2048u, 30'000u, 65'536u, 1'000'000u}) {
    const std::string bytes = random_bytes(size, size);
    const Randomness r = measure_randomness(bytes_of(bytes));
    EXPECT_EQ(texture_of(r, size), Texture::random) << size << " " << to_string(r);
  }
  const std::string random = random_bytes(1'000'000, 9);
  EXPECT_GT(measure_randomness(bytes_of(random)).entropy, 7.999);
  // Random but for a header of text in the middle: one window shows it.
  std::string hidden = random;
  hidden.replace(300'000, 40'000, std::string(40'000, ' '));
  EXPECT_EQ(texture_of(measure_randomness(bytes_of(hidden)), hidden.size()), Texture::structured);
  // Half-precision weights: the upper byte of each number is far from uniform.
  std::string halves;
  for (std::size_t i = 0; i + 1 < random.size(); i += 2) {
    halves += random[i];
    halves += static_cast<char>((random[i + 1] & 0x8f) | 0x30);
  }
  const Randomness r = measure_randomness(bytes_of(halves));
  EXPECT_EQ(texture_of(r, halves.size()), Texture::structured) << to_string(r);
  std::string dense = random;
  for (std::size_t i = 0; i < dense.size(); i += 20) dense[i] = static_cast<char>(dense[i] & 0x7f);
  EXPECT_EQ(texture_of(measure_randomness(bytes_of(dense)), dense.size()), Texture::dense);
  EXPECT_EQ(texture_of(measure_randomness(bytes_of("short")), 5), Texture::too_short);
}

TEST(Names, OfModels) {
  EXPECT_TRUE(has_model_suffix("assets/Face.TFLITE"));
  EXPECT_TRUE(has_model_suffix("net.caffemodel"));
  EXPECT_FALSE(has_model_suffix("data.bin"));
  EXPECT_TRUE(may_be_model("data.bin"));
  EXPECT_TRUE(may_be_model("assets/models/a"));
  EXPECT_FALSE(may_be_model("res/layout/a.xml"));
}

}  // namespace
}  // namespace thimble::gauge
