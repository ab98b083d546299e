// Checkpoints of one or several safetensors files. The index is a stranger's text: it may name only plain file names
// beside itself, and what it says of a tensor must be true of the file.
#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::formats {
namespace {

constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 100'000'000;

// The one index of a directory, or else its one .safetensors file.
std::filesystem::path choose(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> indices, files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kIndexSuffix)) indices.push_back(entry.path());
    if (name.ends_with(".safetensors")) files.push_back(entry.path());
  }
  if (error) fail(ErrorKind::io, "cannot list {}: {}", directory.string(), error.message());
  const auto& found = indices.empty() ? files : indices;
  if (found.size() == 1) return found.front();
  fail(ErrorKind::bad_input, "{} holds {} {}, exactly one was wanted: name the file itself", directory.string(),
       found.size(), indices.empty() ? ".safetensors files" : "safetensors index files");
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

}  // namespace

std::map<std::string, std::string> parse_safetensors_index(std::string_view text, const std::string& name) {
  const Json index = parse_json(text, name, 8);
  std::map<std::string, std::string> files;
  for (const auto& [tensor, value] : get_object(index, "weight_map", name).items()) {
    if (!value.is_string() || !is_plain_name(value.get<std::string>())) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' must name a file beside the index, found {}", name, tensor,
           value.dump().substr(0, 80));
    }
    files.emplace(tensor, value.get<std::string>());
  }
  return files;
}

SafetensorsCheckpoint SafetensorsCheckpoint::open(const std::filesystem::path& given) {
  const std::filesystem::path path = std::filesystem::is_directory(given) ? choose(given) : given;
  SafetensorsCheckpoint checkpoint;
  checkpoint.name_ = path.string();
  if (path.extension() != ".json") {
    checkpoint.files_.push_back(SafetensorsFile::open(path));
    checkpoint.tensors_ = checkpoint.files_.front().tensors();
    return checkpoint;
  }
  std::map<std::string, std::size_t> opened;  // file name to its place in files_
  for (const auto& [tensor, file_name] : parse_safetensors_index(read_file(path, kMaxIndexBytes), checkpoint.name_)) {
    const auto [it, is_new] = opened.emplace(file_name, checkpoint.files_.size());
    if (is_new) {
      const std::filesystem::path shard = path.parent_path() / file_name;
      if (!std::filesystem::exists(shard)) {
        fail(ErrorKind::bad_file, "{}: the shard {} with tensor '{}' is missing (No such file): download it again",
             checkpoint.name_, file_name, tensor);
      }
      checkpoint.files_.push_back(
          with_context("while reading " + checkpoint.name_, [&] { return SafetensorsFile::open(shard); }));
    }
    checkpoint.tensors_.emplace(tensor, checkpoint.files_[it->second].at(tensor));
  }
  return checkpoint;
}

const TensorInfo& SafetensorsCheckpoint::at(const std::string& tensor) const {
  const auto it = tensors_.find(tensor);
  if (it == tensors_.end()) {
    fail(ErrorKind::bad_file, "{}: tensor '{}' is missing ({} others are there)", name_, tensor, tensors_.size());
  }
  return it->second;
}

}  // namespace thimble::formats
