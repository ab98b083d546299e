#include "tests/support/tiny_model.h"

#include "diffusion/model.h"
#include "formats/thimble/model_file.h"
#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "text/byte_bpe.h"

namespace thimble::testing {
namespace {

text::ByteBpe tiny_tokenizer() {
  return text::train_byte_bpe({{"a smiling cat with sunglasses", 3}, {"a red heart", 2}, {"smiling face", 4}},
                              {.vocab_size = 300});
}

// Drawn as for training, except that what starts at zero there is random too.
graph::Weights draw(const graph::Graph& g, std::uint64_t seed) {
  graph::Graph changed = g;
  for (graph::Parameter& p : changed.parameters) {
    if (p.init.kind == graph::Init::Kind::zeros || p.init.scale == 0) {
      if (p.init.kind != graph::Init::Kind::ones) p.init = {graph::Init::Kind::normal, 0.1};
    }
  }
  return graph::initialise(changed, seed);
}

}  // namespace

diffusion::Facts TinyModelOptions::tiny_facts() {
  diffusion::Facts f;
  f.image_size = 32;
  f.latent_shift = {0.1f, -0.2f, 0.0f, 0.3f};
  f.latent_scale = {1.5f};
  f.text_buckets = {8, 16, 32};
  f.steps = 4;
  return f;
}

Json tiny_model_header(const TinyModelOptions& options) {
  const text::ByteBpe tokenizer = tiny_tokenizer();
  const models::AutoencoderConfig autoencoder{
      .patch = 4, .channels = {8, 8}, .encoder_blocks = {0, 1}, .decoder_blocks = {1, 1}, .latent_channels = 4};
  const models::TextEncoderConfig text{.vocabulary = tokenizer.vocab_size(),
                                       .width = 16,
                                       .depth = 1,
                                       .heads = 2,
                                       .ffn_ratio = 2,
                                       .max_length = 32,
                                       .out_width = 16};
  const models::DitConfig dit{.latent_channels = 4,
                              .grid = 4,
                              .patch = 1,
                              .width = 16,
                              .depth = 2,
                              .heads = 2,
                              .ffn_ratio = 2,
                              .text_width = 16};
  const Json header{{"format_version", formats::kModelFormatVersion},
                    {"name", "tiny"},
                    {"licence", "Apache-2.0"},
                    {"parts",
                     {{diffusion::kTextPart, {{"config", models::to_json(text)}}},
                      {diffusion::kDenoiserPart, {{"config", models::to_json(dit)}}},
                      {diffusion::kAutoencoderPart, {{"config", models::to_json(autoencoder)}}}}},
                    {"pipeline", diffusion::to_json(options.facts)},
                    {"tokenizer", tokenizer.to_json()}};
  return parse_json(header.dump(), "header");  // numbers typed as a reader of files sees them
}

void write_tiny_model(const std::filesystem::path& path, const TinyModelOptions& options) {
  const Json header = tiny_model_header(options);
  formats::ModelWriter writer(header);
  std::vector<graph::Weights> kept;
  kept.reserve(4);
  const auto add = [&](const char* part, const char* role, int size) {
    const graph::Graph g = diffusion::build_graph(header["parts"][part]["config"], Json::array(), role, 1, size);
    kept.push_back(draw(g, options.seed + kept.size()));
    for (const std::string& name : kept.back().names()) {
      const graph::Tensor& t = kept.back().at(name);
      writer.add(part, name, DType::f32, t.shape(), {t.data(), t.type().bytes()}, options.stored);
    }
  };
  add(diffusion::kTextPart, "text", options.facts.text_buckets.back());
  add(diffusion::kDenoiserPart, "denoiser", options.facts.text_buckets.back());
  add(diffusion::kAutoencoderPart, "encoder", options.facts.image_size);
  add(diffusion::kAutoencoderPart, "decoder", options.facts.image_size);
  writer.write(path);
}

}  // namespace thimble::testing
