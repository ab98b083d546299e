#include "gauge/scan/extract.h"

#include <filesystem>

#include "base/file.h"
#include "gauge/model/folder.h"
#include "gauge/scan/candidates.h"
#include "gauge/store/sqlite.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kLeastBlob = 64;

class ModelVisitor final : public Visitor {
 public:
  explicit ModelVisitor(const std::function<void(const FoundModel&)>& f)
      : candidates_(models_, failures_, [this, &f](const ModelRecord& record, Bytes bytes) {
          f({record, bytes, siblings_});
        }) {}

  bool meet(const Item& item) override {
    switch (item.kind.file_class) {
      case FileClass::code: return true;
      case FileClass::text: return Candidates::likely(item);
      case FileClass::unknown: return item.size >= kLeastBlob || Candidates::likely(item);
      default: return false;
    }
  }
  void whole(const Item& item, Bytes bytes, const std::vector<Range>& covered) override {
    siblings_ = item.siblings;
    if (item.kind.name != "dex") candidates_.look(item, bytes, covered);
  }
  void failure(const std::string&, FailureKind, const std::string&) override {}

 private:
  std::vector<ModelRecord> models_;
  std::vector<FailureRecord> failures_;
  Candidates candidates_;
  const Siblings* siblings_ = nullptr;
};

}  // namespace

void for_each_model(const std::string& package, const Limits& limits, const CancelToken& cancel,
                    const std::function<void(const FoundModel& model)>& f) {
  const auto file = MappedFile::open(package);
  const std::filesystem::path path(package);
  const FolderSiblings siblings(path.parent_path(), limits.memory);
  ModelVisitor visitor(f);
  walk(file->bytes(), path.filename().string(), limits, &siblings, visitor, cancel);
}

bool is_database(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) < 16) return false;
  return starts_with(MappedFile::open(path)->bytes(), "SQLite format 3");
}

std::vector<std::string> packages_of(const std::string& database) {
  Database db(database);
  Statement rows(db, "SELECT DISTINCT p.path FROM packages p JOIN models m ON m.package = p.id ORDER BY p.path");
  std::vector<std::string> out;
  while (rows.step()) {
    if (std::filesystem::exists(rows.text(0))) out.push_back(rows.text(0));
  }
  return out;
}

}  // namespace thimble::gauge
