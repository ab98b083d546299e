// Which files of a part's folder hold its weights: plain or a variant, whole or in shards, or only pickles.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace thimble::formats {

// The weights of `directory`: a .safetensors file or an index. Of a folder that has both, the file.
// `variant` as in DiffusersModel::open; `variants` gains those that are there ("" is the plain one).
// bad_file when there are none or shards lack their index; unsupported when there are pickled ones only.
std::filesystem::path choose_weights(const std::filesystem::path& directory, const std::string& variant,
                                     std::vector<std::string>& variants);

// Refuses a file of pickled tensors (.ckpt, .pt, .bin ... by name or by first bytes) with the reason and a way out.
void refuse_pickle(const std::filesystem::path& file);

}  // namespace thimble::formats
