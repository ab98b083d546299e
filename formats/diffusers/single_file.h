// One file with a whole model in the names of the programs that trained it: Stable Diffusion 1.x (also the 9-channel
// inpainting and the 8-channel InstructPix2Pix UNets, told apart by their first convolution) and Stable Diffusion XL.
// Configs are the published ones, as the file carries none; there is no tokenizer in it.
#pragma once

#include <filesystem>

#include "formats/diffusers/model_dir.h"

namespace thimble::formats {

// bad_file when the file is damaged or of no known model; unsupported, naming it, for pickles and for models that are
// recognised and not read in this form (Stable Diffusion 2 and 3, FLUX, LoRA files).
DiffusersModel open_single_file(const std::filesystem::path& path);

// Names of today for the tensors of one part, from the original ones (single_file_names.cpp).
NameMap original_unet_names(const TensorMap& stored);  // model.diffusion_model.*
NameMap original_vae_names(const TensorMap& stored);   // first_stage_model.*
NameMap original_clip_names(const TensorMap& stored);  // cond_stage_model.transformer.*, conditioner.embedders.0.*
NameMap original_bigg_names(const TensorMap& stored);  // conditioner.embedders.1.model.*, OpenCLIP's layout

// The way back, for writing (original_names.cpp): a tensor of a single file, and what it is made of.
struct OriginalTensor {
  enum class Form : std::uint8_t { as_is, filter, transposed };  // filter: a matrix as a convolution of one pixel
  std::string name;
  std::vector<std::string> sources;  // names of today; several go one under the other: query, key, value
  Form form = Form::as_is;
};
// For the parameters `names` of a part of Stable Diffusion 1.x or, with `xl`, XL. unsupported for other classes and for
// parameters that such files do not have.
std::vector<OriginalTensor> original_tensors(const DiffusersPart& part, const std::vector<std::string>& names, bool xl);

}  // namespace thimble::formats
