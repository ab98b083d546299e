#include "train/tokenizer.h"

#include <map>

#include "base/file.h"
#include "base/rng.h"
#include "data/emoji/captions.h"
#include "data/emoji/dataset.h"

namespace thimble::train {

text::ByteBpe train_caption_tokenizer(const TokenizerOptions& o) {
  const auto set = data::EmojiSet::open(o.data);
  std::map<std::string, std::int64_t> lines;
  for (const data::Entry& e : set->entries()) {
    if (e.split != data::Split::train) continue;
    Rng rng(o.seed, static_cast<std::uint64_t>(e.id));
    for (int i = 0; i < o.captions; ++i) {
      const data::NamedColour* ground = data::sample_background(rng);
      ++lines[data::caption(e, rng, ground)];
    }
  }
  std::vector<text::BpeLine> corpus;
  for (const auto& [line, count] : lines) corpus.push_back({line, count});
  return text::train_byte_bpe(corpus, {.vocab_size = o.vocabulary});
}

text::ByteBpe read_tokenizer(const std::filesystem::path& path) {
  return text::ByteBpe::from_json(parse_json(read_file(path), path.string()), path.string());
}

}  // namespace thimble::train
