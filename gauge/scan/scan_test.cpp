// Tests of a whole scan: apps built in code, hostile ones among them; the store; going on after an end in the middle.
#include "gauge/scan/scan.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>

#include "base/file.h"
#include "gauge/testing/material.h"

namespace thimble::gauge {
namespace {

using namespace testing;
namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "gauge_test_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }
  fs::path write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

 private:
  fs::path path_;
};

PackageRecord scan_text(const std::string& bytes, const std::string& name = "app.apk", const Limits& limits = {}) {
  return scan_bytes(bytes_of(bytes), "/corpus/" + name, limits, nullptr, CancelToken());
}

std::map<std::string, std::string> models_of(const PackageRecord& r) {
  std::map<std::string, std::string> out;
  for (const ModelRecord& m : r.models) out[m.path] = m.format + " by " + m.found_by;
  return out;
}
std::map<std::string, std::string> failures_of(const PackageRecord& r) {
  std::map<std::string, std::string> out;
  for (const FailureRecord& f : r.failures) out[f.path] = f.stage + " " + std::string(to_string(f.kind));
  return out;
}
using Lines = std::map<std::string, std::string>;

std::string small_app(const std::string& package = "org.example.app") {
  ManifestText manifest;
  manifest.package = package;
  manifest.permissions = {"android.permission.CAMERA"};
  return make_zip({{.name = "AndroidManifest.xml", .data = make_axml(manifest)},
                   {.name = "classes.dex",
                    .data = make_dex({.defined = {"Lorg/tensorflow/lite/Interpreter;"}, .strings = {"gone.tflite"}})},
                   {.name = "lib/arm64-v8a/libtensorflowlite_jni.so",
                    .data = make_elf({.soname = "libtensorflowlite_jni.so", .needed = {"libneuralnetworks.so"}})},
                   {.name = "assets/face.tflite", .data = make_tflite(), .method = 0},
                   {.name = "assets/renamed.bin", .data = make_tflite(50)},
                   {.name = "assets/net.onnx", .data = make_onnx()},
                   {.name = "assets/net.param", .data = make_ncnn_param()},
                   {.name = "assets/net.bin", .data = make_ncnn_bin()},
                   {.name = "assets/picture.png", .data = "\x89PNG\r\n\x1a\n" + make_tflite()}});
}

TEST(Scan, ReadsAnAppWhole) {
  const PackageRecord r = scan_text(small_app());
  EXPECT_EQ(r.kind, "apk");
  EXPECT_EQ(r.manifest.package, "org.example.app");
  EXPECT_EQ(r.manifest.permissions, (std::vector<std::string>{"android.permission.CAMERA"}));
  EXPECT_EQ(r.machines, (std::vector<std::string>{"arm64-v8a"}));
  EXPECT_EQ(r.entries.size(), 9u);
  EXPECT_EQ(models_of(r), (Lines{{"assets/face.tflite", "tflite by suffix"},
                                 {"assets/renamed.bin", "tflite by signature"},
                                 {"assets/net.onnx", "onnx by suffix"},
                                 {"assets/net.param", "ncnn-param by suffix"},
                                 {"assets/net.bin", "ncnn-bin by signature"}}));
  EXPECT_TRUE(r.failures.empty()) << r.failures.front().path << ": " << r.failures.front().reason;
  Lines evidence;
  for (const Finding& f : r.findings) {
    std::string& line = evidence[f.name];
    line = std::max(line, std::to_string(static_cast<int>(f.level)));
  }
  EXPECT_EQ(evidence, (Lines{{"org.example.app", "3"},
                             {"TensorFlow Lite", "3"},
                             {"NNAPI", "2"},
                             {"named in code, not in the package", "0"}}));
  const std::string model = make_tflite();
  EXPECT_EQ(r.models[0].sha256, sha256(bytes_of(model)));
}

TEST(Scan, TellsBundlesSplitsAndNestedApps) {
  ManifestText split;
  split.split = "config.arm64_v8a";
  const std::string base = small_app(), part = make_zip({{.name = "AndroidManifest.xml", .data = make_axml(split)}});
  const PackageRecord apks =
      scan_text(make_zip({{.name = "split.apk", .data = part}, {.name = "base.apk", .data = base}}), "a.xapk");
  EXPECT_EQ(apks.kind, "apks");
  EXPECT_EQ(apks.manifest_path, "base.apk!/AndroidManifest.xml");
  EXPECT_EQ(apks.models.size(), 5u);
  const PackageRecord aab =
      scan_text(make_zip({{.name = "base/manifest/AndroidManifest.xml", .data = make_proto_manifest({})},
                          {.name = "base/assets/a.tflite", .data = make_tflite()}}),
                "a.aab");
  EXPECT_EQ(aab.kind, "aab");
  EXPECT_EQ(aab.manifest.package, "org.example.app");
  const PackageRecord nested = scan_text(make_zip({{.name = "assets/other.apk", .data = small_app("org.other")},
                                                   {.name = "AndroidManifest.xml", .data = make_axml({})}}));
  EXPECT_EQ(nested.manifest.package, "org.example.app");
  EXPECT_EQ(nested.kind, "apk");
  EXPECT_EQ(
      scan_text(make_zip({{.name = "AndroidManifest.xml", .data = "<manifest package=\"org.lib\"/>"}}), "l.aar").kind,
      "aar");
  EXPECT_EQ(scan_text(make_zip({{.name = "Payload/A.app/Info.plist", .data = "x"}}), "a.ipa").kind, "ipa");
}

TEST(Scan, CarvesModelsFromBlobs) {
  const std::string a = make_tflite(300), b = make_onnx(300), c = make_gguf();
  const std::string blob =
      std::string("\1\2\3", 3) + a + "\xff\xff" + b + std::string(5, '\xfe') + c + std::string(300, '\xfd');
  const PackageRecord r = scan_text(make_zip({{.name = "assets/pack.data", .data = blob},
                                              {.name = "lib/x86/libm.so", .data = make_elf({.rodata = a})},
                                              {.name = "assets/two.data", .data = a + a}}));
  const std::size_t at_b = 3 + a.size() + 2, at_c = at_b + b.size() + 5;
  Lines models = models_of(r);
  EXPECT_EQ(models.size(), 6u);
  EXPECT_EQ(models["assets/pack.data@3"], "tflite by carving");
  EXPECT_EQ(models["assets/pack.data@" + std::to_string(at_b)], "onnx by carving");
  EXPECT_EQ(models["assets/pack.data@" + std::to_string(at_c)], "gguf by carving");
  EXPECT_EQ(models["assets/two.data"], "tflite by content");
  EXPECT_EQ(models["assets/two.data@" + std::to_string(a.size())], "tflite by carving");
  for (const ModelRecord& m : r.models) {
    const bool same = m.sha256 == sha256(bytes_of(a));
    EXPECT_EQ(same, m.format == "tflite") << m.path;
  }
}

TEST(Scan, ClassifiesWhatIsNoModel) {
  const std::string model = make_tflite(2000), random = random_bytes(50'000, 4);
  const PackageRecord r =
      scan_text(make_zip({{.name = "a/encrypted.tflite", .data = random},
                          {.name = "a/hidden.bin", .data = random + "."},
                          {.name = "a/cut.tflite", .data = model.substr(0, 4000)},
                          {.name = "a/zipped.model",
                           .data = "\xfd"
                                   "7zXZ" +
                                   std::string(1, '\0') + random},
                          {.name = "a/DebugProbesKt.bin", .data = "\xca\xfe\xba\xbe" + std::string(1700, '\5')},
                          {.name = "a/numbers.bin", .data = std::string(5000, '\5') + "\x80\x81"},
                          {.name = "a/text.tflite", .data = "nothing of a model"}}));
  EXPECT_TRUE(r.models.empty());
  EXPECT_EQ(failures_of(r), (Lines{{"a/encrypted.tflite", "model encrypted"},
                                   {"a/hidden.bin", "model encrypted"},
                                   {"a/cut.tflite", "model truncated"},
                                   {"a/zipped.model", "model compressed"},
                                   {"a/text.tflite", "model not-a-model"}}));
}

TEST(Scan, ABrokenPartDoesNotHideTheRest) {
  std::string dex = make_dex({.strings = {"text"}});
  dex.replace(0x3c, 4, "\xff\xff\xff\x7f");
  const PackageRecord r =
      scan_text(make_zip({{.name = "AndroidManifest.xml", .data = std::string("\3\0\x08\0rubbish", 11)},
                          {.name = "classes.dex", .data = dex},
                          {.name = "lib/a/liba.so",
                           .data = "\x7f"
                                   "ELF\2\1"},
                          {.name = "../up", .data = "x"},
                          {.name = "assets/a.tflite", .data = make_tflite()}}));
  EXPECT_EQ(failures_of(r), (Lines{{"../up", "container unsafe-name"},
                                   {"AndroidManifest.xml", "manifest malformed"},
                                   {"classes.dex", "dex truncated"},
                                   {"lib/a/liba.so", "elf malformed"}}));
  EXPECT_EQ(r.models.size(), 1u);
}

std::map<std::string, std::int64_t> counts(const fs::path& db) {
  const Database database(db);
  std::map<std::string, std::int64_t> out;
  for (const std::string table : {"packages", "entries", "findings", "models", "failures"}) {
    Statement s(database, "SELECT count(*) FROM " + table);
    s.step();
    out[table] = s.integer(0);
  }
  return out;
}

TEST(ScanMany, StoresEachPackageOnce) {
  const Folder folder;
  for (int i = 0; i < 12; ++i)
    folder.write("apps/app" + std::to_string(i) + ".apk", small_app("org.app" + std::to_string(i)));
  folder.write("apps/broken.apk", small_app().substr(0, 2000));
  folder.write("apps/empty.apk", "");
  folder.write("apps/readme.txt", "no package");
  folder.write("loose/net.param", make_ncnn_param());
  folder.write("loose/net.bin", make_ncnn_bin());
  fs::create_symlink("/dev/zero", folder.path() / "apps/link.apk");
  const auto packages = find_packages({folder.path()});
  EXPECT_EQ(packages.size(), 16u);
  CancelToken cancel;
  const fs::path db = folder.path() / "results.db";
  {
    Store store(db);
    const ScanResult r = scan(packages, {.limits = {}, .jobs = 3}, store, {}, cancel);
    EXPECT_EQ(r.packages, 16);
    EXPECT_EQ(r.skipped, 0);
  }
  const auto first = counts(db);
  EXPECT_EQ(first.at("packages"), 16);
  EXPECT_EQ(first.at("models"), 12 * 5 + 2);
  EXPECT_GE(first.at("failures"), 1);
  {
    Store store(db);
    const ScanResult r = scan(packages, {.limits = {}, .jobs = 2}, store, {}, cancel);
    EXPECT_EQ(r.packages, 0);
    EXPECT_EQ(r.skipped, 16);
  }
  EXPECT_EQ(counts(db), first);
  // A file that changed is scanned again, and its former rows go.
  folder.write("apps/app0.apk", small_app("org.changed.entirely"));
  {
    Store store(db);
    EXPECT_EQ(scan(packages, {}, store, {}, cancel).packages, 1);
    const OrderedJson summary = store.summary();
    EXPECT_EQ(summary["models"][0]["format"], "tflite");
    EXPECT_EQ(summary["models"][0]["count"], 24);
    EXPECT_EQ(summary["models"][0]["unique"], 2);
    EXPECT_EQ(summary["models"][0]["packages"], 12);
  }
  EXPECT_EQ(counts(db), first);
  EXPECT_THROW(find_packages({folder.path() / "missing"}), Error);
  folder.write("other.db", "not a database at all, but long enough to be looked at");
  EXPECT_THROW(Store(folder.path() / "other.db"), Error);
}

TEST(ScanMany, GoesOnAfterAKill) {
  const Folder folder;
  for (int i = 0; i < 40; ++i)
    folder.write("app" + std::to_string(i) + ".apk", small_app("org.app" + std::to_string(i)));
  const auto packages = find_packages({folder.path()});
  const fs::path db = folder.path() / "results.db", whole = folder.path() / "whole.db";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    CancelToken cancel;
    Store store(db);
    std::int64_t done = 0;
    // Ends without any clean-up, in the middle of the thirteenth package's report.
    scan(
        packages, {.limits = {}, .jobs = 2}, store,
        [&](std::int64_t, std::int64_t, const std::string&) {
          if (++done == 13) ::kill(::getpid(), SIGKILL);
        },
        cancel);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  CancelToken cancel;
  Store store(db), reference(whole);
  const ScanResult r = scan(packages, {}, store, {}, cancel);
  EXPECT_GE(r.skipped, 12);
  EXPECT_EQ(r.packages + r.skipped, 40);
  scan(packages, {}, reference, {}, cancel);
  EXPECT_EQ(counts(db), counts(whole));
}

TEST(ScanMany, StopsOnRequest) {
  const Folder folder;
  for (int i = 0; i < 10; ++i) folder.write("app" + std::to_string(i) + ".apk", small_app());
  const auto packages = find_packages({folder.path()});
  CancelToken cancel;
  Store store(folder.path() / "results.db");
  std::int64_t done = 0;
  const auto stop = [&](std::int64_t, std::int64_t, const std::string&) {
    if (++done == 4) cancel.cancel();
  };
  EXPECT_THROW(scan(packages, {.limits = {}, .jobs = 1}, store, stop, cancel), Error);
  EXPECT_EQ(counts(folder.path() / "results.db").at("packages"), 4);
}

}  // namespace
}  // namespace thimble::gauge
