// Reads the files of a .tgz archive (gzip; POSIX tar, IEEE 1003.1 ustar and pax headers are understood as far as names
// and sizes go). Nothing is written to disk, so names inside cannot escape anywhere.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace thimble::data {

// Plain files whose name `wanted` accepts, by name. Throws bad_file for damage or more than 1 GiB of content.
std::map<std::string, std::string> read_tgz(const std::filesystem::path& path,
                                            const std::function<bool(std::string_view name)>& wanted);

}  // namespace thimble::data
