// How the tensors of a network are found in a file: under the names of today, those of older programs, or those of the
// programs that trained it. Not here: shapes (models/bind.h checks them against the graph).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "formats/safetensors/weights.h"

namespace thimble::formats {

// Where a tensor comes from. `third`: rows of a matrix that holds three (query, key, value) one under the other.
struct StoredTensor {
  enum class Change : std::uint8_t { none, as_matrix, transposed, third };
  std::string name;
  Change change = Change::none;
  int third = 0;  // 0, 1 or 2
};

// By the name that models/ gives the parameter.
using NameMap = std::map<std::string, StoredTensor>;
using Naming = NameMap (*)(const TensorMap& stored);  // bad_file when two tensors would have one name

// Adds a row; bad_file when the name is taken.
void add_name(NameMap& names, std::string name, StoredTensor from);

// Classes whose folders are read, with the old names each may carry. Null when `class_name` is not among them.
struct NetworkNames {
  std::string_view class_name;
  Naming naming;
};
const NetworkNames* find_network(std::string_view class_name);
std::string known_networks();  // for errors: "AutoencoderDC, AutoencoderKL, ..."

// The class that a file's class is called today: early PixArt files say Transformer2DModel, and a whole language model
// may stand for its network. `unsupported`, naming `what`, for another kind of Transformer2DModel.
std::string class_of_today(const std::string& class_name, const Json& config, const std::string& what);

// The text encoder's parameter for a name that may lack the leading "text_model."; empty for a buffer.
std::string clip_text_name(std::string_view stored);

// Each tensor of `names`, changed as it says, sharing bytes where that is possible; 8-bit floats and GGUF's blocks
// become `narrow_as`. `what` stands for the file.
graph::Weights named_weights(const NameMap& names, const TensorMap& stored, const std::shared_ptr<const void>& owner,
                             DType narrow_as, std::string_view what);

}  // namespace thimble::formats
