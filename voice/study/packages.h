// Debian packages as a source of recordings: fetched by the system's apt-get in one exact version, checked, unpacked
// beside each other. Nothing is installed. Not here: what is in them (voice/study/corpus.h).
#pragma once

#include <filesystem>
#include <string_view>

#include "base/cancel.h"

namespace thimble::voice {

struct DebianPackage {
  std::string_view name, version;
  std::string_view sha256;  // of the .deb; empty for packages that differ by architecture
};

// The folder in which the package's files lie, `root`/unpacked/NAME, fetching the archive into `root`/packages when it
// is not there yet. io: no apt-get or dpkg-deb, not that version to be had; bad_file: another archive than the pinned.
std::filesystem::path unpacked_package(const DebianPackage& package, const std::filesystem::path& root,
                                       const CancelToken& cancel);

}  // namespace thimble::voice
