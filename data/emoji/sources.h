// Where the pictures and captions come from: packages of the npm registry at pinned versions, kept in a cache folder
// and accepted only with the hash written down here. Not here: what is inside them (icons.h).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/cancel.h"

namespace thimble::data {

struct Package {
  std::string_view name, version;
  std::string_view sha256;  // of the archive
};

std::span<const Package> emoji_packages();

// The archive of one of emoji_packages(), fetched with `npm pack` unless the cache holds it already. Throws io when npm
// is missing or fails, bad_file when the archive has another hash.
std::filesystem::path fetch_package(const Package& package, const std::filesystem::path& cache_dir,
                                    const CancelToken& cancel);

}  // namespace thimble::data
