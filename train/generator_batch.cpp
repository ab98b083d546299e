#include "train/generator_batch.h"

#include <cmath>

#include "base/error.h"
#include "data/emoji/captions.h"
#include "data/emoji/rewordings.h"

namespace thimble::train {

GeneratorData::GeneratorData(std::shared_ptr<const data::EmojiSet> set, std::shared_ptr<const LatentCache> cache,
                             std::shared_ptr<const text::Tokenizer> tokenizer, data::Split split)
    : set_(std::move(set)),
      cache_(std::move(cache)),
      tokenizer_(std::move(tokenizer)),
      sampler_(set_->entries(), split) {
  for (const int id : sampler_.ids()) {
    if (!cache_->contains(id))
      fail(ErrorKind::bad_input, "the latent cache lacks picture {}: it belongs to another data set", id);
  }
}

GeneratorBatch GeneratorData::draw(const DrawOptions& o, std::uint64_t seed, std::uint64_t stream) const {
  Rng rng(seed, stream);
  const std::size_t size = cache_->elements();
  GeneratorBatch batch;
  batch.noisy.resize(static_cast<std::size_t>(o.batch) * size);
  batch.velocity.resize(batch.noisy.size());
  std::vector<std::string> captions;
  std::vector<float> clean(size);
  for (int b = 0; b < o.batch; ++b) {
    const data::Entry& entry = set_->entries()[static_cast<std::size_t>(sampler_.draw(rng))];
    const bool solid = rng.chance(o.on_colour) && cache_->grounds() > 0;
    const int version = solid ? 1 + static_cast<int>(rng.below(static_cast<std::uint64_t>(cache_->grounds()))) : 0;
    const data::NamedColour* ground =
        solid ? &data::background_colours()[static_cast<std::size_t>(cache_->ground(entry.id, version))] : nullptr;
    std::string caption =
        rng.chance(o.reworded) ? data::reworded_caption(entry, rng, ground) : data::caption(entry, rng, ground);
    if (rng.chance(o.empty_captions)) caption.clear();
    captions.push_back(std::move(caption));
    const double plain = 1 / (1 + std::exp(-rng.normal()));
    const double t = o.shift * plain / (1 + (o.shift - 1) * plain);
    batch.time.push_back(static_cast<float>(t));
    cache_->read(entry.id, version, clean);
    const std::size_t at = static_cast<std::size_t>(b) * size;
    for (std::size_t i = 0; i < size; ++i) {
      const auto noise = static_cast<float>(rng.normal());
      batch.velocity[at + i] = noise - clean[i];
      batch.noisy[at + i] = clean[i] + static_cast<float>(t) * batch.velocity[at + i];
    }
  }
  batch.prompts = diffusion::pack_prompts(*tokenizer_, captions, o.text_buckets);
  return batch;
}

}  // namespace thimble::train
