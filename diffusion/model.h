// A text-to-picture model as the pipeline sees it: three parts (text encoder, denoiser, autoencoder) of which it asks
// what they are, the pipeline's facts and the tokenizer. Read from a Thimble model file; weights stay mapped.
// Not here: running it (diffusion/pipeline.h), other layouts of files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "diffusion/facts.h"
#include "formats/thimble/model_file.h"
#include "graph/graph.h"
#include "graph/weights.h"
#include "passes/split_invariant.h"
#include "text/tokenizer.h"

namespace thimble::diffusion {

// The kinds of graphs that a config describes, and how each is built. One row per (config type, role), in model.cpp.
struct GraphKind {
  std::string_view type;  // the config's "type"
  std::string_view role;  // "text", "denoiser", "encoder", "decoder"
  // `size`: token count for text and denoiser, pixels per side for encoder and decoder.
  graph::Graph (*build)(const Json& config, int batch, int size);
};
std::span<const GraphKind> graph_kinds();

// bad_file when no row fits. Passes of the part are applied; `unsupported` names a pass that is not known.
graph::Graph build_graph(const Json& config, const Json& passes, std::string_view role, int batch, int size);

// The denoiser cut into what its text alone decides and what runs at every step.
passes::Split split_denoiser(const graph::Graph& denoiser);

struct Part {
  Json config;
  Json passes = Json::array();
  graph::Weights weights;  // named as the graph's parameters
};

class Model {
 public:
  // Checks everything before anything runs: configs fit each other, every parameter is there with its shape.
  static Model open(const std::filesystem::path& path);
  static Model from_file(formats::ModelFile file);

  const std::string& name() const { return name_; }
  const std::string& licence() const { return licence_; }
  const std::string& source() const { return source_; }  // the file's path, for messages
  const Json& header() const { return header_; }
  const Facts& facts() const { return facts_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }

  const Part& text() const { return text_; }
  const Part& denoiser() const { return denoiser_; }
  const Part& autoencoder() const { return autoencoder_; }

  int image_size() const { return facts_.image_size; }
  int image_channels() const { return image_channels_; }
  const graph::Shape& latent_shape() const { return latent_shape_; }  // (H, W, C) of one picture

  graph::Graph text_graph(int batch, int length) const;
  graph::Graph denoiser_graph(int batch, int length) const;
  graph::Graph encoder_graph(int batch) const;
  graph::Graph decoder_graph(int batch) const;

  // Between the autoencoder's latents and the denoiser's, in place; any number of pictures.
  void to_denoiser(std::span<float> latent) const;
  void from_denoiser(std::span<float> latent) const;

  // Hands the pages of the mapped file back once nobody reads the original weights.
  void release_pages() const;
  std::string hash() const;  // SHA-256 of the file; reads it all

 private:
  Model() = default;
  void check_parts();

  std::string name_, licence_, source_;
  Json header_;
  Facts facts_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  Part text_, denoiser_, autoencoder_;
  int image_channels_ = 4;
  graph::Shape latent_shape_;
  std::shared_ptr<const MappedFile> mapped_;
};

}  // namespace thimble::diffusion
