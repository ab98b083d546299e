// A checkpoint that is opened when it is first asked for, once for all who share it.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>

#include "formats/safetensors/safetensors.h"

namespace thimble::formats {

class LazyCheckpoint {
 public:
  explicit LazyCheckpoint(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  std::shared_ptr<const SafetensorsCheckpoint> get() {
    const std::lock_guard lock(mutex_);
    if (!opened_) opened_ = std::make_shared<SafetensorsCheckpoint>(SafetensorsCheckpoint::open(path_));
    return opened_;
  }

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
  std::shared_ptr<const SafetensorsCheckpoint> opened_;
};

}  // namespace thimble::formats
