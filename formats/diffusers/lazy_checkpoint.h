// A checkpoint that is opened when it is first asked for, once for all who share it: safetensors files, or a GGUF file.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "formats/safetensors/safetensors.h"

namespace thimble::formats {

// Tensors under their stored names, and the mapped files that hold them.
class OpenCheckpoint {
 public:
  static OpenCheckpoint open(const std::filesystem::path& path);

  const TensorMap& tensors() const { return tensors_; }
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }

 private:
  TensorMap tensors_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
};

class LazyCheckpoint {
 public:
  explicit LazyCheckpoint(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  std::shared_ptr<const OpenCheckpoint> get() {
    const std::lock_guard lock(mutex_);
    if (!opened_) opened_ = std::make_shared<OpenCheckpoint>(OpenCheckpoint::open(path_));
    return opened_;
  }

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
  std::shared_ptr<const OpenCheckpoint> opened_;
};

}  // namespace thimble::formats
