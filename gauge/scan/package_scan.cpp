#include "gauge/scan/package_scan.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "gauge/detect/names.h"
#include "gauge/model/folder.h"
#include "gauge/scan/candidates.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kLeastBlob = 64;       // smaller unknown files are not searched
constexpr std::size_t kMostFailures = 10'000;  // of one package; more is one line that says so

class PackageVisitor final : public Visitor {
 public:
  explicit PackageVisitor(PackageRecord& record) : record_(record), candidates_(record.models, record.failures) {}

  bool meet(const Item& item) override {
    const std::string path = item.offset == 0 ? item.path : item.path_at(0);
    record_.entries.push_back({path, std::string(item.kind.name), item.size, item.packed});
    evidence_.file(path);
    if (item.kind.name == "class") evidence_.class_file(path);
    if (is_manifest(item)) return true;
    switch (item.kind.file_class) {
      case FileClass::container: return false;
      case FileClass::code: return true;
      case FileClass::manifest:
      case FileClass::media: return false;
      case FileClass::compressed:
        if (has_model_suffix(path) || may_be_model(path)) {
          failure(path, FailureKind::compressed, fmt::format("it is compressed with {}", item.kind.name), "model");
        }
        return false;
      case FileClass::text: return Candidates::likely(item);
      case FileClass::unknown: return item.size >= kLeastBlob || Candidates::likely(item);
    }
    return false;
  }

  void whole(const Item& item, Bytes bytes, const std::vector<Range>& covered) override {
    if (is_manifest(item)) {
      guarded(item, "manifest", [&] { manifest(item, bytes); });
      return;
    }
    if (item.kind.name == "dex") guarded(item, "dex", [&] { evidence_.dex(item.path, bytes); });
    if (item.kind.name == "elf") guarded(item, "elf", [&] { evidence_.elf(item.path, bytes); });
    if (item.kind.name == "mach-o") evidence_.native_code(item.path, bytes);
    if (item.kind.name != "dex") candidates_.look(item, bytes, covered);
  }

  void failure(const std::string& path, FailureKind kind, const std::string& reason) override {
    failure(path, kind, reason, "container");
  }

  void finish() {
    // A file that code names and the package does not hold comes from elsewhere, or under another name.
    for (const auto& [name, path] : evidence_.model_names()) {
      const std::string_view base = base_name(name);
      const bool here = std::any_of(record_.entries.begin(), record_.entries.end(),
                                    [&](const EntryRecord& e) { return base_name(e.path) == base; });
      if (!here)
        evidence_.add(Subject::delivery, "named in code, not in the package", Level::named, Place::text, path, name);
    }
    record_.findings = evidence_.findings();
    record_.machines.assign(evidence_.machines().begin(), evidence_.machines().end());
    if (record_.failures.size() > kMostFailures) {
      const std::size_t more = record_.failures.size() - kMostFailures;
      record_.failures.resize(kMostFailures);
      record_.failures.push_back(
          {record_.name, "package", fmt::format("{} failures more", more), FailureKind::too_many});
    }
  }

 private:
  static bool is_manifest(const Item& item) {
    return item.offset == 0 && base_name(item.path) == "AndroidManifest.xml";
  }

  void failure(const std::string& path, FailureKind kind, const std::string& reason, const char* stage) {
    record_.failures.push_back({path, stage, reason, kind});
  }

  template <class F>
  void guarded(const Item& item, const char* stage, F&& f) {
    try {
      f();
    } catch (const Error& e) {
      failure(item.path, failure_of(e), e.message(), stage);
    }
  }

  void manifest(const Item& item, Bytes bytes) {
    const Manifest m = item.kind.file_class == FileClass::manifest ? read_axml_manifest(bytes)
                       : item.kind.file_class == FileClass::text   ? read_text_manifest(text_of(bytes))
                                                                   : read_proto_manifest(bytes);
    if (m.package.empty()) return;
    evidence_.manifest(item.path, m);
    // The app's own stands highest: an app in another's assets, or a split beside its base, stands behind.
    const std::pair<bool, int> rank{!m.split.empty(), item.depth};
    if (record_.has_manifest && rank >= manifest_rank_) return;
    manifest_rank_ = rank;
    record_.has_manifest = true;
    record_.manifest_path = item.path;
    record_.manifest = m;
    manifest_kind_ = item.kind.file_class;
  }

 public:
  std::string kind_of(std::string_view container) const {
    const std::string& at = record_.manifest_path;
    if (at == "AndroidManifest.xml") return manifest_kind_ == FileClass::text ? "aar" : "apk";
    if (at.ends_with("base/manifest/AndroidManifest.xml")) return "aab";
    const bool in_apk = at.ends_with(".apk!/AndroidManifest.xml") && at.find("!/") == at.rfind("!/");
    if (container == "zip" && in_apk && !at.starts_with("assets/")) return "apks";
    const bool ios = std::any_of(record_.entries.begin(), record_.entries.end(), [](const EntryRecord& e) {
      return e.path.starts_with("Payload/") && e.path.ends_with(".app/Info.plist");
    });
    return ios ? "ipa" : container.empty() ? "file" : std::string(container);
  }

 private:
  PackageRecord& record_;
  Evidence evidence_;
  Candidates candidates_;
  std::pair<bool, int> manifest_rank_;
  FileClass manifest_kind_ = FileClass::unknown;
};

}  // namespace

PackageRecord scan_bytes(Bytes bytes, const std::string& path, const Limits& limits, const Siblings* siblings,
                         const CancelToken& cancel) {
  PackageRecord record;
  record.path = path;
  record.name = printable(base_name(path));
  record.size = bytes.size();
  PackageVisitor visitor(record);
  const WalkTotals totals = walk(bytes, record.name, limits, siblings, visitor, cancel);
  record.unpacked = totals.unpacked;
  visitor.finish();
  const FileKind kind = identify(bytes.first(std::min(bytes.size(), kHeadBytes)));
  record.kind = visitor.kind_of(kind.file_class == FileClass::container ? kind.name : std::string_view{});
  return record;
}

PackageRecord scan_file(const std::string& path, std::string hash, const Limits& limits, const CancelToken& cancel) {
  const auto start = std::chrono::steady_clock::now();
  PackageRecord record;
  record.path = path;
  record.name = printable(base_name(path));
  record.kind = "file";
  try {
    const auto file = MappedFile::open(path);
    if (hash.empty()) hash = sha256(file->bytes());
    const FolderSiblings siblings(std::filesystem::path(path).parent_path(), limits.memory);
    record = scan_bytes(file->bytes(), path, limits, &siblings, cancel);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::cancelled) throw;
    record.failures.push_back({record.name, "package", e.message(), failure_of(e)});
  } catch (const std::bad_alloc&) {
    record.failures.push_back({record.name, "package", "not enough memory", FailureKind::too_large});
  }
  record.sha256 = hash;
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return record;
}

}  // namespace thimble::gauge
