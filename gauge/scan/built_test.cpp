// Scans the two hundred packages that gauge/testing/build_apks.sh builds out of real models, code and libraries, and
// compares with what it put into them: every model at its place with its bytes, none missing and none twice, encrypted
// and cut ones told as such. GAUGE_BUILT names the folder (default data-cache/gauge-built); when it is not there, it is
// built, which needs the fetched packages and aapt; without these the tests skip.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "gauge/scan/scan.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

struct Wanted {
  std::map<std::string, std::pair<std::string, std::string>> models;  // path inside: SHA-256 or "-", format
  std::map<std::string, std::string> failures;                        // path inside: kind
};

class Built : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = setting("GAUGE_BUILT", "data-cache/gauge-built");
    const fs::path list = folder_ / "expected.tsv";
    if (!fs::exists(list)) {
      const std::string material = setting("GAUGE_MATERIAL", "data-cache/gauge");
      if (!fs::is_directory(material)) return;
      const std::string command = "gauge/testing/build_apks.sh '" + folder_.string() + "' '" + material + "' 1>&2";
      if (std::system(command.c_str()) != 0) return;
    }
    std::ifstream in(list);
    for (std::string line; std::getline(in, line);) {
      std::istringstream fields(line);
      std::string package, what, path, third, fourth;
      std::getline(fields, package, '\t');
      std::getline(fields, what, '\t');
      std::getline(fields, path, '\t');
      std::getline(fields, third, '\t');
      std::getline(fields, fourth, '\t');
      if (what == "model") wanted_[package].models[path] = {third, fourth};
      if (what == "failure") wanted_[package].failures[path] = third;
    }
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() != ".tsv") packages_.push_back(entry.path().string());
    }
    std::ranges::sort(packages_);
  }
  void SetUp() override {
    if (packages_.empty()) GTEST_SKIP() << "no built packages in " << folder_ << " (gauge/testing/build_apks.sh)";
  }

  static fs::path folder_;
  static std::vector<std::string> packages_;
  static std::map<std::string, Wanted> wanted_;
};
fs::path Built::folder_;
std::vector<std::string> Built::packages_;
std::map<std::string, Wanted> Built::wanted_;

bool has_probe(const std::string& format) {
  return std::ranges::any_of(model_probes(), [&](const ModelProbe* p) { return p->format == format; });
}

TEST_F(Built, HoldsEveryModelThatWasPutIn) {
  EXPECT_EQ(packages_.size(), 200u);
  std::map<std::string, int> kinds;
  std::size_t models = 0, failures = 0;
  for (const std::string& path : packages_) {
    const std::string name = fs::path(path).filename().string();
    const PackageRecord r = scan_file(path, {}, {}, CancelToken());
    ++kinds[r.kind];
    EXPECT_TRUE(r.manifest.package.starts_with("org.example.")) << name;
    const Wanted& wanted = wanted_[name];
    std::map<std::string, std::string> found;
    for (const ModelRecord& m : r.models) {
      EXPECT_TRUE(found.emplace(m.path, m.sha256).second) << name << ": " << m.path << " twice";
      const auto at = wanted.models.find(m.path);
      if (at == wanted.models.end()) {
        ADD_FAILURE() << name << ": " << m.path << " (" << m.format << ") was not put in";
        continue;
      }
      EXPECT_EQ(m.format, at->second.second) << name << ": " << m.path;
      if (at->second.first != "-") {
        EXPECT_EQ(m.sha256, at->second.first) << name << ": " << m.path;
      }
      ++models;
    }
    for (const auto& [inside, model] : wanted.models) {
      if (has_probe(model.second)) {
        EXPECT_TRUE(found.contains(inside)) << name << ": " << inside << " was not found";
      }
    }
    std::map<std::string, std::string> told;
    for (const FailureRecord& f : r.failures) told[f.path] = to_string(f.kind);
    for (const auto& [inside, kind] : wanted.failures) {
      EXPECT_EQ(told[inside], kind) << name << ": " << inside;
      told.erase(inside);
      ++failures;
    }
    for (const auto& [inside, kind] : told) {
      if (!kind.empty()) ADD_FAILURE() << name << ": " << inside << " is called " << kind;
    }
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"apk", 140}, {"apks", 40}, {"aab", 20}}));
  EXPECT_GE(models, 350u);
  EXPECT_EQ(failures, 50u);
}

TEST_F(Built, NativeCodeIsGradedAndPlainAppsHaveNothing) {
  for (const std::string& path : packages_) {
    const std::string name = fs::path(path).filename().string();
    if (!name.starts_with("face-native") && !name.starts_with("plain-stored")) continue;
    std::map<std::string, int> levels;
    for (const Finding& f : scan_file(path, {}, {}, CancelToken()).findings) {
      if (f.subject == Subject::app) continue;
      int& level = levels[f.name];
      level = std::max(level, static_cast<int>(f.level));
    }
    if (name.starts_with("plain")) {
      EXPECT_TRUE(levels.empty()) << levels.begin()->first;
    } else {
      EXPECT_EQ(levels["ONNX Runtime"], 3);
      EXPECT_EQ(levels["XNNPACK"], 1);
      EXPECT_EQ(levels["Arm Compute Library"], 2);  // linked, and not shipped with this app
      EXPECT_EQ(levels["SNPE"], 0);
      EXPECT_EQ(levels.contains("TensorFlow Lite"), false);
    }
  }
}

}  // namespace
}  // namespace thimble::gauge
