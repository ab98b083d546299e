// The contrastive image-text scorer (models/scorer.h): its training on real pairs, and scoring with it on any executor.
// It measures text faithfulness: does a picture find its caption among 100? No LibTorch in this header.
//
// Split by (family, style): of every trained family one style in ten is kept out of the scorer's training, so that
// "seen" pairs show known concepts in pictures never trained on; "unseen" pairs are the data set's validation and test
// families.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/emoji/dataset.h"
#include "graph/executor.h"
#include "media/image.h"
#include "models/scorer.h"
#include "text/byte_bpe.h"
#include "train/loop.h"
#include "train/schedule.h"

namespace thimble::train {

struct ScorerTraining {
  std::filesystem::path data;       // emoji.pack
  std::filesystem::path tokenizer;  // JSON of a byte_bpe tokenizer
  std::filesystem::path output;     // the scorer's model file, written at the end and at every sample
  LoopOptions loop;
  models::ScorerConfig model;
  bool resume = false;
  int batch = 192;  // pictures of different families, so that every other caption is wrong
  Schedule schedule{ScheduleKind::cosine, 1e-3, 200};
  OptimiserKind optimiser = OptimiserKind::adamw;
  double ema = 0.998;
  std::uint64_t seed = 1;
  graph::Precision precision = graph::Precision::bf16;
  std::string device = "cpu";
  int threads = 0;
};

LoopResult train_scorer(const ScorerTraining& options, const ProgressFn& progress, const CancelToken& cancel);

// Whether the scorer's training may see this entry.
bool scorer_trains_on(const data::Entry& entry);

// A trained scorer on an executor. Rows of the results are unit vectors of `width()` values.
class Scorer {
 public:
  Scorer(const std::filesystem::path& file, graph::Executor& executor);
  ~Scorer();
  int width() const;
  std::vector<float> embed(std::span<const media::Image> images);  // laid on white
  std::vector<float> embed(std::span<const std::string> captions);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Part of the pictures whose own caption comes first among `candidates`, the others drawn from the other rows. Row i of
// both belongs together; width values a row.
struct Retrieval {
  double first = 0, first_five = 0;
  int pictures = 0, candidates = 0;
  std::vector<bool> hit;  // per picture: own caption first
};
Retrieval retrieve(std::span<const float> images, std::span<const float> captions, int width, int candidates = 100,
                   std::uint64_t seed = 1);

}  // namespace thimble::train
