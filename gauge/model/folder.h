// The files beside a file on disk, by names inside its folder.
#pragma once

#include <filesystem>

#include "gauge/container/walk.h"

namespace thimble::gauge {

class FolderSiblings final : public Siblings {
 public:
  // Files larger than `most` bytes are not given.
  FolderSiblings(std::filesystem::path folder, std::uint64_t most) : folder_(std::move(folder)), most_(most) {}
  std::optional<Content> find(const std::string& name) const override;

 private:
  std::filesystem::path folder_;
  std::uint64_t most_;
};

}  // namespace thimble::gauge
