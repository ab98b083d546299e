// Scoring with a trained scorer. Not here: its training (scorer_training.cpp), which includes LibTorch.
#include "train/scorer.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/prompt.h"
#include "formats/thimble/model_file.h"
#include "media/transform.h"
#include "train/scorer_input.h"

namespace thimble::train {
namespace {

constexpr int kImageBatch = 16, kTextBatch = 16, kTextLength = 32;

graph::Weights read_weights(const formats::ModelFile& file) {
  graph::Weights weights;
  for (const auto& [name, info] : file.tensors("scorer")) {
    weights.set(name, graph::Tensor({info.dtype(), info.shape}, file.file, info.data().data()));
  }
  return weights;
}

}  // namespace

struct Scorer::Impl {
  formats::ModelFile file;
  models::ScorerConfig config;
  text::ByteBpe tokenizer;
  graph::Weights weights;
  std::unique_ptr<graph::Program> images, captions;

  Impl(const std::filesystem::path& path, graph::Executor& executor)
      : file(formats::ModelFile::open(path)),
        config(models::scorer_from_json(file.config("scorer"))),
        tokenizer(text::ByteBpe::from_json(get_object(file.header, "tokenizer", path.string()), path.string())),
        weights(read_weights(file)) {
    const auto image_graph = models::build_scorer_image(config, kImageBatch);
    const auto text_graph = models::build_scorer_text(config, kTextBatch, kTextLength);
    weights.check_covers(image_graph, path.string());
    weights.check_covers(text_graph, path.string());
    images = executor.compile(image_graph, weights, {});
    captions = executor.compile(text_graph, weights, {});
  }
};

Scorer::Scorer(const std::filesystem::path& file, graph::Executor& executor)
    : impl_(std::make_unique<Impl>(file, executor)) {}
Scorer::~Scorer() = default;
int Scorer::width() const { return impl_->config.width; }

std::vector<float> Scorer::embed(std::span<const media::Image> images) {
  const int side = impl_->config.image_size;
  const auto size = static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
  std::vector<float> out;
  for (std::size_t at = 0; at < images.size(); at += kImageBatch) {
    const std::size_t n = std::min<std::size_t>(kImageBatch, images.size() - at);
    graph::Tensor input({DType::f32, {kImageBatch, side, side, 3}});
    for (std::size_t i = 0; i < n; ++i) {
      const media::Image rgb = media::resize(media::composite(images[at + i], {255, 255, 255}), side, side);
      scorer_pixels(rgb, input.mutable_as<float>().subspan(i * size, size));
    }
    const auto rows = (*impl_->images)({input})[0];
    const auto values = rows.as<float>().first(n * static_cast<std::size_t>(width()));
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

std::vector<float> Scorer::embed(std::span<const std::string> captions) {
  std::vector<float> out;
  const int buckets[] = {kTextLength};
  for (std::size_t at = 0; at < captions.size(); at += kTextBatch) {
    const std::size_t n = std::min<std::size_t>(kTextBatch, captions.size() - at);
    std::vector<std::string> batch(captions.begin() + static_cast<std::ptrdiff_t>(at),
                                   captions.begin() + static_cast<std::ptrdiff_t>(at + n));
    batch.resize(kTextBatch);
    const auto prompts = diffusion::pack_prompts(impl_->tokenizer, batch, buckets);
    const auto rows = (*impl_->captions)({prompts.ids, prompts.mask, prompts.keep})[0];
    const auto values = rows.as<float>().first(n * static_cast<std::size_t>(width()));
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

void scorer_pixels(const media::Image& rgb, std::span<float> out) {
  check(rgb.channels == 3 && rgb.pixels.size() == out.size(), "scorer_pixels: sizes");
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(rgb.pixels[i]) / 127.5f - 1.0f;
}

bool scorer_trains_on(const data::Entry& entry) {
  if (entry.split != data::Split::train) return false;
  std::uint64_t hash = 1469598103934665603ull;
  for (const char c : entry.family) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return philox(hash, static_cast<std::uint64_t>(entry.style), 0)[0] % 10 != 0;
}

Retrieval retrieve(std::span<const float> images, std::span<const float> captions, int width, int candidates,
                   std::uint64_t seed) {
  const auto w = static_cast<std::size_t>(width);
  if (images.size() != captions.size() || images.empty() || images.size() % w != 0) {
    fail(ErrorKind::bad_input, "retrieval: one caption for every picture was wanted");
  }
  const std::size_t count = images.size() / w;
  Retrieval r;
  r.pictures = static_cast<int>(count);
  r.candidates = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(candidates), count));
  const auto score = [&](std::size_t i, std::size_t j) {
    return std::inner_product(&images[i * w], &images[i * w] + w, &captions[j * w], 0.0);
  };
  std::vector<std::size_t> others(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::iota(others.begin(), others.end(), 0);
    std::swap(others[i], others.back());
    Rng rng(seed, i);
    const double own = score(i, i);
    int better = 0;
    for (std::size_t k = 0; k + 1 < static_cast<std::size_t>(r.candidates); ++k) {
      std::swap(others[k], others[k + rng.below(count - 1 - k)]);
      better += score(i, others[k]) >= own;
    }
    r.hit.push_back(better == 0);
    r.first += better == 0;
    r.first_five += better < 5;
  }
  r.first /= static_cast<double>(count);
  r.first_five /= static_cast<double>(count);
  return r;
}

}  // namespace thimble::train
