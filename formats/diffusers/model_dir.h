// Published models as diffusers stores them: a directory with model_index.json, one folder per part with config.json
// and safetensors files, scheduler_config.json, tokenizer files. Also one network's folder alone, and (single_file.h)
// the same model from one file in the original programs' names.
// Read here is what the files say; what a class computes is models/, what a scheduler does diffusion/, what a
// vocabulary means text/. A single file may be safetensors or GGUF (formats/gguf).
//
//   const auto model = DiffusersModel::open("stable-diffusion-v1-5");
//   const DiffusersPart& unet = model.part("unet");            // unet.class_name, unet.config
//   const graph::Weights weights = unet.weights();             // names as models/ has them; bytes stay mapped
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/diffusers/lazy_checkpoint.h"
#include "formats/diffusers/naming.h"
#include "formats/safetensors/weights.h"

namespace thimble::formats {

// A network: what it is, and weights that are mapped when first asked for. Copies share the map.
class DiffusersPart {
 public:
  DiffusersPart(std::string name, std::string class_name, Json config, std::shared_ptr<LazyCheckpoint> checkpoint,
                Naming naming);

  std::string name;        // "unet"
  std::string class_name;  // "UNet2DConditionModel", a row of models/classes.h
  Json config;             // an object, as the class writes it

  const std::filesystem::path& path() const;  // of the weights: a file, or the index of several
  const OpenCheckpoint& checkpoint() const;   // under the stored names
  // Under the names of today, without buffers that are no weights; 8-bit floats and blocks of GGUF become `narrow_as`.
  // bad_file, naming file and tensor; unsupported for an element type that Thimble lacks.
  graph::Weights weights(DType narrow_as = DType::bf16) const;
  void release_pages() const;  // the system may take the pages of the file back; they are read again when touched

 private:
  std::shared_ptr<LazyCheckpoint> checkpoint_;
  Naming naming_;
};

// Paths are empty for what is not there. A single file has no tokenizer files at all.
struct TokenizerFiles {
  std::string name;                      // "tokenizer_2"
  std::string class_name;                // "T5TokenizerFast"
  Json config;                           // tokenizer_config.json, or an empty object
  std::filesystem::path vocab, merges;   // vocab.json, merges.txt
  std::filesystem::path sentencepiece;   // spiece.model or tokenizer.model
  std::filesystem::path tokenizer_json;  // tokenizer.json
};

struct DiffusersModel {
  std::filesystem::path path;
  std::string pipeline_class;        // "StableDiffusionPipeline"
  Json settings;                     // the pipeline's own options, such as force_zeros_for_empty_prompt
  std::vector<DiffusersPart> parts;  // networks, sorted by name
  std::string scheduler_class;       // "PNDMScheduler"
  Json scheduler;                    // scheduler_config.json
  std::vector<TokenizerFiles> tokenizers;
  std::vector<std::string> absent;   // parts that the index lists with null
  std::vector<std::string> skipped;  // parts that no picture needs: the safety checker and its feature extractor
  std::vector<std::string> unused;   // tensors of a single file that no part takes: worth a warning

  // A directory, or a single file. `variant` is preferred where a part has it ("fp16"); without it, or where a part
  // lacks it, the plain file is taken, else the one variant there is (fp16 before bf16 before others).
  // io (no such path), bad_file (a truncated, absurd or incomplete model), unsupported (a class, or pickled weights, by
  // name), bad_input (a variant that no part has).
  static DiffusersModel open(const std::filesystem::path& path, const std::string& variant = "");

  const DiffusersPart* find(std::string_view part) const;  // null when absent
  const DiffusersPart& part(std::string_view part) const;  // bad_file naming the parts there are
  graph::Weights weights_of(std::string_view part) const { return this->part(part).weights(); }
};

// The folder of one network alone, such as a tiny autoencoder: config.json names its class. Also a folder of TAESD's
// two files as their author has them (tiny_pair.h).
DiffusersPart open_diffusers_part(const std::filesystem::path& directory, const std::string& variant = "");

// model_index.json, checked. bad_file naming `what`; unsupported naming a class that is not known.
struct ModelIndex {
  struct Entry {
    std::string name, library, class_name;
  };
  std::string pipeline_class;
  std::vector<Entry> networks, tokenizers;
  std::string scheduler_class;  // empty when none is listed
  std::vector<std::string> absent, skipped;
  Json settings;
};
ModelIndex parse_model_index(std::string_view text, const std::string& what);

}  // namespace thimble::formats
