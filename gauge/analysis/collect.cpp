#include "gauge/analysis/collect.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "gauge/detect/names.h"
#include "gauge/model/readers.h"
#include "gauge/scan/extract.h"

namespace thimble::gauge {
namespace {

// Of a folder: packages and what a model's main file may be called.
bool worth_a_look(const std::string& path) {
  static constexpr std::string_view kPackages =
      ".apk .xapk .apkm .apks .aab .aar .obb .ipa .zip .jar .tar .tgz .gz .whl .task .pt .pth .ptl .dlc .data .dm";
  return has_suffix(path, kPackages) || has_model_suffix(path) || has_suffix(path, ".pb .json .bin");
}

// The halves of models in two files come with their other half.
bool is_second_half(const FoundModel& m) { return m.record.format == "ncnn-bin"; }

}  // namespace

std::vector<std::string> files_to_analyze(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    if (is_database(path)) {
      const auto packages = packages_of(path);
      out.insert(out.end(), packages.begin(), packages.end());
    } else if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(
               path, std::filesystem::directory_options::skip_permission_denied)) {
        if (entry.is_regular_file() && !entry.is_symlink() && worth_a_look(entry.path().string())) {
          out.push_back(entry.path().string());
        }
      }
    } else {
      if (!std::filesystem::exists(path)) fail(ErrorKind::bad_input, "{}: no such file", path);
      out.push_back(path);
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void collect_models(Collection& to, const std::string& file, const ImportOptions& options, const CancelToken& cancel,
                    bool each_once) {
  const std::string name = std::filesystem::path(file).filename().string();
  const auto one = [&](const FoundModel& m) {
    cancel.throw_if_cancelled();
    if (is_second_half(m)) return;
    const std::string path = m.record.path == name ? file : file + "!/" + m.record.path;
    const ModelReader* reader = reader_of(m.record.format);
    if (reader == nullptr) {
      to.others.push_back({path, m.record.format});
      return;
    }
    try {
      Analysis a = analyze(reader->read({m.bytes, m.record.path, m.siblings, {}}), path, m.bytes, options);
      const auto same = [&](const Analysis& other) { return other.sha256 == a.sha256; };
      if (!each_once || std::ranges::none_of(to.models, same)) to.models.push_back(std::move(a));
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::cancelled) throw;
      to.failures.push_back({path, e.message()});
    }
  };
  try {
    const std::size_t before = to.models.size() + to.failures.size() + to.others.size();
    for_each_model(file, {}, cancel, one);
    // A file that says it is a model and is none, or a broken one: why.
    if (to.models.size() + to.failures.size() + to.others.size() == before && has_model_suffix(file) && !each_once) {
      open_model(file);
    }
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::cancelled) throw;
    to.failures.push_back({file, e.message()});
  }
}

}  // namespace thimble::gauge
