// What users add to a published model: LoRA files with scales, merged into the weights as a part is read or given apart
// for branches beside quantised layers, and textual inversions, words with vectors of their own. Not here: reading the
// files (formats/diffusers), the branches (passes/lora_branch.h).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/diffusers/embedding_file.h"
#include "formats/diffusers/lora.h"
#include "formats/diffusers/model_dir.h"
#include "passes/lora_branch.h"

namespace thimble::diffusion {

struct LoraChoice {
  std::filesystem::path file;
  double scale = 1;  // -100 .. 100
};

struct EmbeddingChoice {
  std::filesystem::path file;
  std::string token = {};  // the word in prompts; empty: as the file says, else the file's name without extension
};

// A word that stands for rows of its own, behind the encoder's vocabulary.
struct AddedWord {
  std::string token;
  std::int32_t first = 0;  // id
  std::int32_t count = 1;  // ids, one after another
};

class Adapters {
 public:
  Adapters() = default;
  // Reads the files and compares them with the model. bad_input when a LoRA changes nothing of this model, does not fit
  // a matrix, or when vectors have no encoder of their width.
  Adapters(const formats::DiffusersModel& model, std::string_view denoiser, const std::vector<LoraChoice>& loras,
           const std::vector<EmbeddingChoice>& embeddings);

  // The part's weights with everything added but the changes of parameters in `apart`. Merged matrices are f32, so that
  // they are rounded once, when they are packed.
  graph::Weights applied(std::string_view part, graph::Weights stored, const std::set<std::string>& apart = {}) const;
  // What LoRA files do to one parameter, for a branch beside it. Empty: nothing.
  std::vector<passes::LowRank> changes(std::string_view part, const std::string& parameter) const;
  // The part's config, its vocabulary grown by the added words.
  Json config(const formats::DiffusersPart& part) const;
  const std::vector<AddedWord>& words(std::string_view part) const;
  // Layers of LoRA files that this model does not have: worth a warning.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Scaled {
    formats::LoraUpdate update;
    double scale;
  };
  struct Added {
    std::vector<AddedWord> words;
    std::vector<graph::Tensor> rows;  // f32 (n, width), in the order of the words
  };
  void add_lora(const formats::DiffusersModel& model, std::string_view denoiser, const LoraChoice& choice);
  void add_embedding(const formats::DiffusersModel& model, const EmbeddingChoice& choice);

  std::map<std::string, std::map<std::string, std::vector<Scaled>>, std::less<>> loras_;  // by part and parameter
  std::map<std::string, Added, std::less<>> embeddings_;                                  // by part
  std::vector<std::string> warnings_;
};

}  // namespace thimble::diffusion
