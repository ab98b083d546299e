// Tests of what an app says of itself: manifests, dex, ELF; written by hand, and cut at every byte.
#include <gtest/gtest.h>

#include "gauge/apk/dex.h"
#include "gauge/apk/dex_calls.h"
#include "gauge/apk/elf.h"
#include "gauge/apk/manifest.h"
#include "gauge/testing/material.h"

namespace thimble::gauge {
namespace {

using namespace testing;

const ManifestText kManifest{.package = "org.example.app",
                             .version_name = "1.5",
                             .split = "",
                             .version_code = 7,
                             .min_sdk = 21,
                             .target_sdk = 34,
                             .permissions = {"android.permission.CAMERA", "android.permission.INTERNET"},
                             .meta_data = {{"com.google.mlkit.vision.DEPENDENCIES", "face"}}};

void expect_manifest(const Manifest& m) {
  EXPECT_EQ(m.package, "org.example.app");
  EXPECT_EQ(m.version_name, "1.5");
  EXPECT_EQ(m.version_code, "7");
  EXPECT_EQ(m.min_sdk, "21");
  EXPECT_EQ(m.target_sdk, "34");
  EXPECT_EQ(m.permissions, (std::vector<std::string>{"android.permission.CAMERA", "android.permission.INTERNET"}));
}

// Reads every beginning of `bytes`; each is an Error or a result, never a read past the end.
template <class F>
void cut_everywhere(const std::string& bytes, F&& read) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    try {
      read(std::as_bytes(std::span(exact)));
    } catch (const Error& e) {
      EXPECT_NE(e.kind(), ErrorKind::internal);
    }
  }
}

TEST(Manifest, ReadsBinaryXmlInBothEncodings) {
  ManifestText text = kManifest;
  for (const bool utf8 : {true, false}) {
    text.utf8 = utf8;
    const Manifest m = read_axml_manifest(bytes_of(make_axml(text)));
    expect_manifest(m);
    ASSERT_EQ(m.meta_data.size(), 1u);
    EXPECT_EQ(m.meta_data[0].first, "com.google.mlkit.vision.DEPENDENCIES");
    EXPECT_EQ(m.meta_data[0].second, "face");
  }
  text.split = "config.arm64_v8a";
  EXPECT_EQ(read_axml_manifest(bytes_of(make_axml(text))).split, "config.arm64_v8a");
}

TEST(Manifest, KnowsAttributesByNumberWhenTheirNamesAreWiped) {
  std::string axml = make_axml(kManifest);
  for (const std::string name : {"versionCode", "minSdkVersion", "targetSdkVersion"}) {
    const std::size_t at = axml.find(name);
    ASSERT_NE(at, std::string::npos);
    axml.replace(at, name.size(), std::string(name.size(), '?'));
  }
  expect_manifest(read_axml_manifest(bytes_of(axml)));
}

TEST(Manifest, ReadsBundlesAndText) {
  expect_manifest(read_proto_manifest(bytes_of(make_proto_manifest(kManifest))));
  expect_manifest(read_text_manifest(R"(<?xml version="1.0"?><!-- <manifest package="no"/> -->
    <manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example.app"
        android:versionCode="7" android:versionName='1.5'>
      <uses-sdk android:minSdkVersion="21" android:targetSdkVersion = "34" />
      <uses-permission android:name="android.permission.CAMERA"/><uses-permission android:name="android.permission.INTERNET"/>
    </manifest>)"));
}

TEST(Manifest, SurvivesEveryCut) {
  cut_everywhere(make_axml(kManifest), [](Bytes b) { read_axml_manifest(b); });
  cut_everywhere(make_proto_manifest(kManifest), [](Bytes b) { read_proto_manifest(b); });
}

TEST(Dex, ReadsPoolTypesMethodsAndClasses) {
  const std::string bytes = make_dex({.defined = {"Lorg/example/Main;"},
                                      .referenced = {"Lai/onnxruntime/OrtSession$SessionOptions;", "I"},
                                      .methods = {{"Lai/onnxruntime/OrtSession$SessionOptions;", "addNnapi"}},
                                      .strings = {"assets/face.tflite", "caf\xc3\xa9"}});
  const Dex dex = Dex::parse(bytes_of(bytes));
  EXPECT_EQ(dex.version(), 35);
  EXPECT_EQ(dex.strings(), 6u);
  EXPECT_EQ(dex.string(4), "assets/face.tflite");
  ASSERT_EQ(dex.types(), 3u);
  EXPECT_EQ(dex.type(1), "Lai/onnxruntime/OrtSession$SessionOptions;");
  ASSERT_EQ(dex.classes(), 1u);
  EXPECT_EQ(dex.type(dex.class_type(0)), "Lorg/example/Main;");
  ASSERT_EQ(dex.methods(), 1u);
  EXPECT_EQ(dex.method(0).name, "addNnapi");
  EXPECT_EQ(dex.method(0).type, 1u);
  EXPECT_THROW(dex.string(6), Error);
  EXPECT_EQ(dex.next(), bytes.size());
}

TEST(Dex, RefusesWildOffsetsAndCuts) {
  const std::string good = make_dex({.defined = {"La;"}, .strings = {"text"}});
  const auto walk = [](Bytes b) {
    const Dex dex = Dex::parse(b);
    for (std::uint32_t i = 0; i < dex.strings(); ++i) dex.string(i);
    for (std::uint32_t i = 0; i < dex.classes(); ++i) dex.type(dex.class_type(i));
  };
  cut_everywhere(good, walk);
  for (const std::size_t field : {0x38, 0x3c, 0x40, 0x44, 0x60, 0x64}) {
    std::string bad = good;
    bad.replace(field, 4, "\xff\xff\xff\xff");
    EXPECT_THROW(walk(bytes_of(bad)), Error) << field;
  }
  std::string version = good;
  version.replace(4, 3, "099");
  EXPECT_THROW(Dex::parse(bytes_of(version)), Error);
}

TEST(Dex, FindsCalls) {
  const std::string bytes = make_dex({.defined = {"La;", "Lb;"},
                                      .referenced = {"Lc;"},
                                      .methods = {{"Lc;", "x"}, {"Lb;", "y"}},
                                      .calls = {{0, 1}, {0, 0}, {1, 0}}});
  std::string calls;
  const auto note = [&](std::uint32_t caller, std::uint32_t method) { calls += fmt::format("{}>{} ", caller, method); };
  for_each_call(Dex::parse(bytes_of(bytes)), note);
  EXPECT_EQ(calls, "0>1 0>0 1>0 ");
  cut_everywhere(bytes, [](Bytes b) { for_each_call(Dex::parse(b), [](std::uint32_t, std::uint32_t) {}); });
}

TEST(Dex, TurnsModifiedUtf8IntoUtf8) {
  EXPECT_EQ(mutf8_to_utf8("plain"), "plain");
  EXPECT_EQ(mutf8_to_utf8("\xc0\x80"), std::string(1, '\0'));
  EXPECT_EQ(mutf8_to_utf8("\xed\xa0\xbd\xed\xb8\x80"), "\xf0\x9f\x98\x80");  // a surrogate pair: U+1F600
  EXPECT_EQ(mutf8_to_utf8("\xed\xa0\xbd"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(mutf8_to_utf8("a\xff"), "a\xef\xbf\xbd");
}

TEST(ElfFile, ReadsTheDynamicSection) {
  const ElfText text{.soname = "libapp.so",
                     .needed = {"libneuralnetworks.so", "libc.so"},
                     .exported = {"Java_org_tensorflow_lite_NativeInterpreterWrapper_run"},
                     .imported = {"ANeuralNetworksModel_create"},
                     .rodata = "core/providers/xnnpack/x.cc"};
  const std::string bytes = make_elf(text);
  const Elf elf = read_elf(bytes_of(bytes));
  EXPECT_EQ(elf.machine, "arm64-v8a");
  EXPECT_EQ(elf.soname, "libapp.so");
  EXPECT_EQ(elf.needed, (std::vector<std::string_view>{"libneuralnetworks.so", "libc.so"}));
  EXPECT_EQ(elf.exported, (std::vector<std::string_view>{text.exported[0]}));
  EXPECT_EQ(elf.imported, (std::vector<std::string_view>{"ANeuralNetworksModel_create"}));
  cut_everywhere(bytes, [](Bytes b) { read_elf(b); });
  EXPECT_THROW(read_elf(bytes_of("\x7f"
                                 "ELF")),
               Error);
}

}  // namespace
}  // namespace thimble::gauge
