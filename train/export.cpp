#include "train/export.h"

#include "base/file.h"
#include "formats/thimble/model_file.h"
#include "train/autoencoder.h"
#include "train/generator.h"
#include "train/latents.h"
#include "train/tokenizer.h"

namespace thimble::train {
namespace {

// Borrows: `weights` must live until the writer has written.
void add_part(formats::ModelWriter& writer, const std::string& part, const graph::Weights& weights,
              const std::string& prefix, DType stored) {
  for (const std::string& name : weights.names()) {
    if (!name.starts_with(prefix)) continue;
    const graph::Tensor& t = weights.at(name);
    const DType as = t.shape().size() > 1 ? stored : DType::f32;
    writer.add(part, name, t.type().dtype, t.shape(), {t.data(), t.type().bytes()}, as);
  }
}

}  // namespace

void export_model(const ExportOptions& o) {
  check_writable(o.out);
  const TrainedGenerator generator = load_generator(o.generator);
  const TrainedAutoencoder coder = load_autoencoder(o.autoencoder);
  const LatentCache cache = LatentCache::open(o.latents);
  if (cache.config() != coder.config) {
    fail(ErrorKind::bad_input, "the latents of {} come from another autoencoder than {}", o.latents.string(),
         o.autoencoder.string());
  }
  diffusion::Facts facts = o.facts;
  facts.image_size = cache.grid() * coder.config.compression();
  facts.text_buckets = generator.text_buckets;
  facts.latent_shift.assign(cache.mean().begin(), cache.mean().end());
  facts.latent_scale.clear();
  for (const float s : cache.std()) facts.latent_scale.push_back(1 / s);

  const auto part = [](const Json& config) { return Json{{"config", config}, {"passes", Json::array()}}; };
  formats::ModelWriter writer({{"name", o.name},
                               {"licence", o.licence},
                               {"description", o.description},
                               {"parts",
                                {{diffusion::kTextPart, part(models::to_json(generator.text))},
                                 {diffusion::kDenoiserPart, part(models::to_json(generator.denoiser))},
                                 {diffusion::kAutoencoderPart, part(models::to_json(coder.config))}}},
                               {"pipeline", diffusion::to_json(facts)},
                               {"tokenizer", read_tokenizer(o.tokenizer).to_json()},
                               {"training", {{"steps", generator.step}, {"minutes", generator.minutes}}}});
  add_part(writer, diffusion::kTextPart, generator.weights, "text.", o.stored);
  add_part(writer, diffusion::kDenoiserPart, generator.weights, "dit.", o.stored);
  add_part(writer, diffusion::kAutoencoderPart, coder.weights, "", o.stored);
  writer.write(o.out);
}

}  // namespace thimble::train
