// The trainer: words are counted once, then each step merges the most frequent pair and touches only the words that
// hold it. Counts are exact at every step; the heap keeps outdated entries and drops them when they surface.
#include <algorithm>
#include <optional>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "text/byte_bpe.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

using Merge = ByteBpe::Merge;

struct Word {
  std::vector<std::int32_t> ids;
  std::int64_t count;
};

struct MergeHash {
  std::size_t operator()(const Merge& m) const {
    return std::hash<std::uint64_t>()(static_cast<std::uint64_t>(static_cast<std::uint32_t>(m.first)) << 32 |
                                      static_cast<std::uint32_t>(m.second));
  }
};

struct Pair {
  std::int64_t count = 0;
  std::vector<std::int32_t> words;  // that hold the pair or once did; a word may stand here twice
};

struct CountedPair {
  std::int64_t count;
  Merge pair;
  bool operator<(const CountedPair& o) const { return count != o.count ? count < o.count : pair > o.pair; }
};

std::vector<Word> count_words(const std::vector<BpeLine>& corpus) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    const BpeLine& line = corpus[i];
    if (line.count < 1)
      fail(ErrorKind::bad_input, "byte BPE: line {} has count {}, at least 1 was wanted", i, line.count);
    with_context(fmt::format("in line {} of the corpus", i), [&] { check_utf8(line.text); });
    for (std::string& word : split_words(line.text)) counts[std::move(word)] += line.count;
  }
  std::vector<Word> words;
  for (const auto& [text, count] : counts) {
    Word& w = words.emplace_back(Word{{}, count});
    for (const char c : text) w.ids.push_back(ByteBpe::kFirstByte + static_cast<unsigned char>(c));
  }
  return words;
}

class Trainer {
 public:
  explicit Trainer(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) add_pairs(static_cast<std::int32_t>(w), +1);
    for (const auto& [pair, info] : pairs_) heap_.push({info.count, pair});
    for (std::int32_t id = 0; id < ByteBpe::kFirstMerge; ++id) length_.push_back(id < ByteBpe::kFirstByte ? 0 : 1);
  }

  // The next merge, or nothing when no pair is frequent enough.
  std::optional<Merge> next(std::int64_t min_count) {
    while (!heap_.empty()) {
      const CountedPair best = heap_.top();
      heap_.pop();
      if (best.count < min_count) return std::nullopt;
      const auto it = pairs_.find(best.pair);
      if (it == pairs_.end() || it->second.count != best.count) continue;  // outdated; a newer entry is in the heap
      const std::size_t length = length_of(best.pair.first) + length_of(best.pair.second);
      if (length > ByteBpe::kMaxTokenBytes) continue;
      return best.pair;
    }
    return std::nullopt;
  }

  void merge(Merge pair, std::int32_t id) {
    length_.push_back(length_of(pair.first) + length_of(pair.second));
    std::vector<std::int32_t> touched = std::move(pairs_[pair].words);
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    changed_.clear();
    for (const std::int32_t w : touched) {
      add_pairs(w, -1);
      replace(words_[static_cast<std::size_t>(w)].ids, pair, id);
      add_pairs(w, +1);
    }
    pairs_.erase(pair);
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const Merge& p : changed_) {
      if (const auto it = pairs_.find(p); it != pairs_.end() && it->second.count > 0) heap_.push({it->second.count, p});
    }
  }

 private:
  std::size_t length_of(std::int32_t id) const { return length_[static_cast<std::size_t>(id)]; }

  void add_pairs(std::int32_t w, int sign) {
    const Word& word = words_[static_cast<std::size_t>(w)];
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i) {
      const Merge pair{word.ids[i], word.ids[i + 1]};
      Pair& info = pairs_[pair];
      info.count += sign * word.count;
      if (sign > 0 && (info.words.empty() || info.words.back() != w)) info.words.push_back(w);
      changed_.push_back(pair);
    }
  }

  static void replace(std::vector<std::int32_t>& ids, Merge pair, std::int32_t id) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < ids.size(); ++out) {
      const bool here = i + 1 < ids.size() && ids[i] == pair.first && ids[i + 1] == pair.second;
      ids[out] = here ? id : ids[i];
      i += here ? 2 : 1;
    }
    ids.resize(out);
  }

  std::vector<Word> words_;
  std::unordered_map<Merge, Pair, MergeHash> pairs_;
  std::priority_queue<CountedPair> heap_;
  std::vector<Merge> changed_;
  std::vector<std::size_t> length_;  // bytes of each id
};

}  // namespace

ByteBpe train_byte_bpe(const std::vector<BpeLine>& corpus, const BpeTrainOptions& options) {
  if (options.vocab_size < ByteBpe::kFirstMerge || options.vocab_size > ByteBpe::kMaxVocab) {
    fail(ErrorKind::bad_input, "byte BPE: a vocabulary of {} was asked for, {} to {} are possible", options.vocab_size,
         ByteBpe::kFirstMerge, ByteBpe::kMaxVocab);
  }
  Trainer trainer(count_words(corpus));
  std::vector<Merge> merges;
  for (std::int32_t id = ByteBpe::kFirstMerge; id < options.vocab_size; ++id) {
    const auto pair = trainer.next(std::max<std::int64_t>(options.min_pair_count, 1));
    if (!pair) break;
    trainer.merge(*pair, id);
    merges.push_back(*pair);
  }
  return ByteBpe(std::move(merges));
}

}  // namespace thimble::text
