// Recipe: trains the contrastive scorer. Symmetric cross-entropy over the batch's picture-caption scores with a learnt
// temperature (Radford et al. 2021); all families in a batch differ.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "data/emoji/captions.h"
#include "diffusion/prompt.h"
#include "formats/thimble/model_file.h"
#include "media/transform.h"
#include "train/checkpoint.h"
#include "train/prefetch.h"
#include "train/scorer.h"
#include "train/scorer_input.h"

namespace thimble::train {
namespace {

constexpr int kTextLength = 32, kStored = 80;  // pictures are kept small in memory; crops of them are jittered
constexpr std::uint64_t kBatchStream = 1ull << 32;
constexpr const char* kTemperature = "log_scale";

struct Batch {
  std::vector<float> pixels;  // (B, side, side, 3)
  diffusion::PromptBatch prompts;
};

// All pictures the scorer may see, small, and their families.
class Pool {
 public:
  explicit Pool(const data::EmojiSet& set) : set_(set) {
    std::map<std::string, std::vector<int>> families;
    for (const data::Entry& e : set.entries()) {
      if (scorer_trains_on(e)) families[e.family].push_back(e.id);
    }
    for (auto& [name, ids] : families) families_.push_back(std::move(ids));
    for (const auto& ids : families_) {
      for (int id : ids) small_.emplace(id, media::resize(set.picture(id), kStored, kStored));
    }
  }
  std::size_t families() const { return families_.size(); }

  Batch make(const ScorerTraining& o, const text::ByteBpe& tokenizer, std::int64_t index) const {
    Rng rng(o.seed, kBatchStream + static_cast<std::uint64_t>(index));
    std::vector<std::size_t> order(families_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    Batch batch;
    const int side = o.model.image_size;
    const auto size = static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
    batch.pixels.resize(static_cast<std::size_t>(o.batch) * size);
    std::vector<std::string> captions;
    for (std::size_t i = 0; i < static_cast<std::size_t>(o.batch); ++i) {
      std::swap(order[i], order[i + rng.below(order.size() - i)]);
      const auto& ids = families_[order[i]];
      const data::Entry& entry = set_.entries()[static_cast<std::size_t>(ids[rng.below(ids.size())])];
      const data::NamedColour* ground = data::sample_background(rng);
      captions.push_back(rng.chance(0.3) ? data::spoken_label(entry) : data::caption(entry, rng, ground));
      media::Image rgb =
          media::composite(small_.at(entry.id), ground != nullptr ? ground->rgb : media::Rgb{255, 255, 255});
      const int cut = kStored - static_cast<int>(rng.below(9));
      const auto room = static_cast<std::uint64_t>(kStored - cut + 1);
      const int x = static_cast<int>(rng.below(room)), y = static_cast<int>(rng.below(room));
      rgb = media::resize(media::crop(rgb, x, y, cut, cut), side, side);
      scorer_pixels(rgb, {batch.pixels.data() + i * size, size});
    }
    const int buckets[] = {kTextLength};
    batch.prompts = diffusion::pack_prompts(tokenizer, captions, buckets);
    return batch;
  }

 private:
  const data::EmojiSet& set_;
  std::vector<std::vector<int>> families_;
  std::map<int, media::Image> small_;
};

void write_scorer(const ScorerTraining& o, const Json& tokenizer, const Parameters& average, std::int64_t step) {
  Json header{{"name", "Thimble Emoji scorer"},
              {"licence", "Apache-2.0"},
              {"description", "contrastive picture-caption scorer, a measuring instrument for Thimble Emoji"},
              {"parts", {{"scorer", {{"config", models::to_json(o.model)}, {"passes", Json::array()}}}}},
              {"tokenizer", tokenizer},
              {"training", {{"steps", step}}}};
  formats::ModelWriter writer(header);
  std::vector<graph::Tensor> kept;
  kept.reserve(average.size());
  for (const auto& [name, tensor] : average) {
    if (name == kTemperature) continue;
    kept.push_back(from_torch(tensor));
    const graph::Tensor& t = kept.back();
    writer.add("scorer", name, DType::f32, t.shape(), {t.data(), t.type().bytes()}, DType::f16);
  }
  writer.write(o.output);
}

}  // namespace

LoopResult train_scorer(const ScorerTraining& options, const ProgressFn& progress, const CancelToken& cancel) {
  ScorerTraining o = options;
  set_torch_threads(o.threads);
  const at::Device device = torch_device(o.device);
  const Json tokenizer_json = parse_json(read_file(o.tokenizer, 16 << 20), o.tokenizer.string());
  const text::ByteBpe tokenizer = text::ByteBpe::from_json(tokenizer_json, o.tokenizer.string());
  o.model.text.vocabulary = tokenizer.vocab_size();
  check_writable(o.output);
  const auto set = data::EmojiSet::open(o.data);
  const Pool pool(*set);
  if (o.batch < 2 || static_cast<std::size_t>(o.batch) > pool.families()) {
    fail(ErrorKind::bad_input, "batch {}: 2 to {} (the families of the data set) was wanted", o.batch, pool.families());
  }
  const graph::Graph images = models::build_scorer_image(o.model, o.batch);
  const graph::Graph captions = models::build_scorer_text(o.model, o.batch, kTextLength);
  Parameters parameters = load_parameters(images, graph::initialise(images, o.seed), device);
  parameters.merge(load_parameters(captions, graph::initialise(captions, o.seed + 1), device));
  parameters.emplace(kTemperature, at::full({1}, std::log(10.0), at::TensorOptions().device(device)));
  Optimiser optimiser(parameters, {.kind = o.optimiser});
  Ema ema(parameters, o.ema);
  const Trainee trainee{&optimiser, &ema};
  RunState state;
  if (o.resume) {
    if (const auto found = resume(o.loop.run_dir, trainee)) state = *found;
  }
  state.facts = {{"kind", "scorer"}, {"config", models::to_json(o.model)}, {"seed", o.seed}};

  Prefetch<Batch> batches(state.step, 4, [&](std::int64_t i) { return pool.make(o, tokenizer, i); });
  const at::Tensor own = at::arange(o.batch, at::TensorOptions().dtype(at::kLong).device(device));
  LoopHooks hooks;
  hooks.train = [&](std::int64_t, double used) -> Values {
    const Batch batch = batches.next();
    const int side = o.model.image_size;
    const at::Tensor x =
        at::from_blob(const_cast<float*>(batch.pixels.data()), {o.batch, side, side, 3}, at::kFloat).to(device);
    const auto& p = batch.prompts;
    const at::Tensor a = run_graph(images, parameters, {x}, o.precision)[0];
    const at::Tensor b = run_graph(
        captions, parameters,
        {to_torch(p.ids.view()).to(device), to_torch(p.mask.view()).to(device), to_torch(p.keep.view()).to(device)},
        o.precision)[0];
    const at::Tensor scores = at::matmul(a, b.t()) * parameters.at(kTemperature).clamp(0.0, 4.6).exp();
    const at::Tensor loss = 0.5 * (at::cross_entropy_loss(scores, own) + at::cross_entropy_loss(scores.t(), own));
    torch::autograd::backward({loss}, {at::ones_like(loss)});
    const double rate = o.schedule.at(optimiser.steps(), used);
    const double norm = optimiser.step(rate);
    ema.update(parameters);
    const double right = (scores.detach().argmax(1) == own).to(at::kFloat).mean().item<double>();
    return {{"loss", loss.item<double>()}, {"right", right}, {"gradient", norm}, {"rate", rate}};
  };
  hooks.save = [&](std::int64_t step, double minutes) {
    state.step = step;
    state.minutes = minutes;
    save_checkpoint(o.loop.run_dir, trainee, state);
    write_scorer(o, tokenizer_json, ema.average(), step);
  };
  return run_loop(o.loop, hooks, state.step, state.minutes, progress, cancel);
}

}  // namespace thimble::train
