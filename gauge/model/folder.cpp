#include "gauge/model/folder.h"

#include "base/file.h"

namespace thimble::gauge {

std::optional<Content> FolderSiblings::find(const std::string& name) const {
  if (!unsafe_name(name).empty()) return std::nullopt;
  std::error_code error;
  const auto path = folder_ / name;
  if (!std::filesystem::is_regular_file(path, error) || std::filesystem::file_size(path, error) > most_) {
    return std::nullopt;
  }
  try {
    const auto file = MappedFile::open(path);
    return Content{file->bytes(), file};
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace thimble::gauge
