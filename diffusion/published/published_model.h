// A published model (diffusers directory or single file) as its pipeline sees it: facts that follow from the classes
// and configs it is made of. The pipeline asks these facts, never which model it is. Classes and their facts are rows
// of tables in published_model.cpp (networks) and pipeline_classes.cpp (pipelines and their text). Not here: running it
// (published_pipeline.h), what files say (formats/diffusers), networks (models/).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "diffusion/published/adapters.h"
#include "diffusion/published/network.h"
#include "diffusion/published/text_plan.h"
#include "diffusion/samplers/published.h"
#include "formats/diffusers/model_dir.h"

namespace thimble::diffusion {

// none: one pass, no scale (distilled models). embedded: one pass, the scale is an input. classifier_free: two passes,
// with the prompt and with the negative one. two_conditions: three, prompt and picture, picture alone, neither
// (Brooks et al. 2023).
enum class GuidanceKind { none, embedded, classifier_free, two_conditions };

// Channels that the denoiser reads beside the noisy latents. image: latents of the picture to edit, not scaled.
// mask_and_image: the mask, then the scaled latents of the picture without what it covers.
enum class Conditioning { none, image, mask_and_image };

struct PublishedFacts {
  std::string pipeline_class;                     // "StableDiffusionPipeline"
  std::string denoiser, autoencoder;              // parts
  std::string denoiser_class, autoencoder_class;  // rows of models/classes.h

  int text_width = 768;  // channels of the text that the denoiser reads
  int latent_channels = 4;
  int compression = 8;  // pixels per latent cell and side
  int size_step = 8;    // sides of pictures are multiples of this
  int native_side = 512;
  // The denoiser's latent is (autoencoder's latent - shift) * scale.
  double latent_scale = 1, latent_shift = 0;

  std::string latent_input;  // "sample"
  bool packed = false;       // the denoiser takes tokens of 2x2 cells (models/flux.h)
  double time_factor = 1;    // the network is told the schedule's time times this
  bool own_levels = false;   // steps are cut evenly by the pipeline, not by the scheduler's class
  Conditioning conditioning = Conditioning::none;
  GuidanceKind guidance_kind = GuidanceKind::classifier_free;
  double guidance_factor = 1;  // embedded: what the scale is multiplied by
  int guidance_width = 0;      // embedded as this many sines and cosines; 0: as a number

  // Defaults.
  int steps = 50;
  double guidance = 7.5;
  double image_guidance = 1.5;  // two_conditions
  double strength = 0.8;        // of image-to-image

  TextPlan text;
};

struct PublishedModelOptions {
  std::string variant = {};  // of the weight files: "fp16"
  // Replaces the tokenizers of the directory; needed for a single file, which has none. A directory of tokenizer files
  // or one file: merges.txt, bpe_simple_vocab_16e6.txt.gz, spiece.model, tokenizer.model. By tokenizer name.
  std::map<std::string, std::filesystem::path> tokenizers = {};
  // The folder of another autoencoder for the same latents, such as a tiny one.
  std::filesystem::path autoencoder = {};
  // The folder of one more autoencoder for the same latents, for previews alone.
  std::filesystem::path preview_autoencoder = {};
  std::vector<LoraChoice> loras = {};
  std::vector<EmbeddingChoice> embeddings = {};
};

struct PreviewAutoencoder {
  formats::DiffusersPart part;
  double scale = 1, shift = 0;  // as PublishedFacts::latent_scale, latent_shift
  int compression = 8;
};

class PublishedModel {
 public:
  // unsupported, naming what there is, for a class or setting that is not known; bad_file; bad_input.
  static PublishedModel open(const std::filesystem::path& path, const PublishedModelOptions& options = {});

  const PublishedFacts& facts() const { return facts_; }
  const formats::DiffusersModel& files() const { return files_; }
  const formats::DiffusersPart& part(std::string_view name) const;  // the autoencoder in use, if replaced
  const PreviewAutoencoder* preview_autoencoder() const { return preview_ ? &*preview_ : nullptr; }
  const text::Tokenizer& tokenizer(std::string_view name) const;
  const Adapters& adapters() const { return adapters_; }
  // What a part's network is packed from, added words included, and LoRA files but for the parameters in `apart`.
  NetworkWeights weights_of(const formats::DiffusersPart& part, const std::set<std::string>& apart = {}) const;

  // The published scheduler, or the one that `sampler` names with the published noise schedule, for pictures of a size
  // in pixels; bad_input for a name that does not fit.
  PublishedScheduler scheduler(const std::optional<std::string>& sampler, int width, int height) const;

 private:
  PublishedModel() = default;
  void open_tokenizers(const PublishedModelOptions& options);
  formats::DiffusersModel files_;
  std::optional<formats::DiffusersPart> other_autoencoder_;
  std::optional<PreviewAutoencoder> preview_;
  Adapters adapters_;
  PublishedFacts facts_;
  std::map<std::string, std::shared_ptr<const text::Tokenizer>, std::less<>> tokenizers_;
};

// What a pipeline class adds to the networks' facts: parts, defaults and how text is read (pipeline_classes.cpp).
struct PipelineClass {
  std::string_view name;
  std::string_view denoiser;  // part
  int steps;
  double guidance, strength;
  TextPlan (*text)(const PublishedFacts& facts);  // without what follows from the encoders' configs
};
const PipelineClass& pipeline_class(std::string_view name);  // unsupported, naming those there are

// Adds widths, lengths and missing encoders, from the directory; bad_file when they do not fit the denoiser.
void complete_text_plan(const formats::DiffusersModel& files, const PublishedFacts& facts, TextPlan& plan);

}  // namespace thimble::diffusion
