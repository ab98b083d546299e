#include "train/evaluation.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "data/emoji/captions.h"
#include "data/emoji/dataset.h"
#include "media/codec.h"
#include "media/transform.h"
#include "metrics/extractor.h"
#include "metrics/image_quality.h"
#include "plot/sheet.h"
#include "train/evaluation_prompts.h"
#include "train/pictures.h"
#include "train/scorer.h"

namespace thimble::train {
namespace {

using data::Entry;
using media::Image;

constexpr media::Rgb kWhite{255, 255, 255};
constexpr std::uint64_t kGroundStream = 77;

double mean_of(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x;
  return v.empty() ? 0 : sum / static_cast<double>(v.size());
}

// One prompt and the entry it speaks of.
struct Prompted {
  const Entry* entry;
  std::string prompt;
  const data::NamedColour* ground;
};

class Evaluator {
 public:
  Evaluator(const diffusion::Model& model, diffusion::Pipeline& pipeline, graph::Executor& executor,
            const EvaluationOptions& o, const ProgressFn& progress, const CancelToken& cancel)
      : model_(model),
        pipeline_(pipeline),
        o_(o),
        progress_(progress),
        cancel_(cancel),
        set_(data::EmojiSet::open(o.data)) {
    if (!o.extractor.empty()) extractor_.emplace(executor, o.extractor);
    if (!o.scorer.empty()) scorer_.emplace(o.scorer, executor);
    std::filesystem::create_directories(o.output);
    o_.generate.batch = o.batch;
  }

  Json run() {
    Json result{{"model", model_.name()}, {"data", o_.data.filename().string()}, {"seed", o_.seed}};
    result["autoencoder"] = autoencoder();
    if (scorer_) result["scorer_on_real_pairs"] = calibration();
    const auto seen = prompted(data::Split::train, o_.samples, -1);
    const auto images = generate(seen, "seen concepts");
    result["sampler"] = settings_;
    if (extractor_) result["distribution"] = distribution(seen, images);
    if (scorer_) result["text_faithfulness"] = faithfulness(seen, images);
    sheets();
    write_file(o_.output / "evaluation.json", result.dump(2) + "\n");
    return result;
  }

 private:
  const Entry& entry(int id) const { return set_->entries()[static_cast<std::size_t>(id)]; }

  // Entries of a split spread over the trained styles. wording -1: as trained; else a held-out wording.
  std::vector<Prompted> prompted(data::Split split, int count, int wording) {
    std::vector<Prompted> out;
    Rng rng(o_.seed, kGroundStream + static_cast<std::uint64_t>(split));
    std::set<std::string> families;
    for (int id : fixed_choice(set_->entries(), split, 20 * count)) {
      const Entry& e = entry(id);
      if (static_cast<int>(out.size()) >= count) break;
      if (!families.insert(e.family).second) continue;  // every other caption must be wrong
      const data::NamedColour* ground = data::sample_background(rng);
      out.push_back(
          {&e, wording < 0 ? data::caption(e, rng, ground) : data::held_out_caption(e, wording, ground), ground});
    }
    return out;
  }

  std::vector<Image> generate(const std::vector<std::string>& prompts, const std::string& what) {
    std::vector<diffusion::Request> requests;
    for (std::size_t i = 0; i < prompts.size(); ++i) requests.push_back({prompts[i], o_.seed + i});
    const auto report = [&](std::int64_t done, std::int64_t total, const std::string&) {
      if (progress_) progress_(done, total, what);
    };
    auto made = pipeline_.generate(requests, o_.generate, report, &cancel_);
    settings_ = {{"name", made.sampler}, {"steps", made.steps}, {"guidance", made.guidance}};
    return std::move(made.images);
  }

  std::vector<Image> generate(const std::vector<Prompted>& prompts, const std::string& what) {
    std::vector<std::string> texts;
    for (const Prompted& p : prompts) texts.push_back(p.prompt);
    return generate(texts, what);
  }

  Image real(const Prompted& p) const {
    return media::composite(set_->picture(p.entry->id), p.ground != nullptr ? p.ground->rgb : kWhite);
  }

  Json autoencoder() {
    std::vector<double> psnr, ssim, distance;
    const auto ids = fixed_choice(set_->entries(), data::Split::validation, o_.autoencoder_pictures);
    const int side = data::kPictureSide;
    std::vector<float> pixels(static_cast<std::size_t>(side) * side * 4);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      cancel_.throw_if_cancelled();
      const Image picture = set_->picture(ids[i]);
      sample_window(picture, {.side = side}, nullptr, pixels);
      const auto back = pipeline_.decode(pipeline_.encode(pixels, 1), 1);
      const Image a = media::composite(picture, kWhite), b = media::composite(to_image(back, side), kWhite);
      psnr.push_back(metrics::psnr(a, b));
      ssim.push_back(metrics::ssim(a, b));
      if (extractor_) distance.push_back(extractor_->perceptual_distance(a, b));
      if (progress_) progress_(static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(ids.size()), "autoencoder");
    }
    Json out{{"pictures", ids.size()}, {"split", "validation"}, {"psnr_db", mean_of(psnr)}, {"ssim", mean_of(ssim)}};
    if (extractor_) {
      out["squeezenet_equal_weight_distance"] = mean_of(distance);
      out["extractor"] = extractor_->name();
    }
    return out;
  }

  Retrieval score(const std::vector<Prompted>& prompts, const std::vector<Image>& images) {
    std::vector<std::string> captions;
    for (const Prompted& p : prompts) captions.push_back(data::spoken_label(*p.entry));
    return retrieve(scorer_->embed(images), scorer_->embed(captions), scorer_->width(), 100, o_.seed);
  }

  static Json to_json(const Retrieval& r) {
    return {{"first_of_100", r.first},
            {"first_five_of_100", r.first_five},
            {"pictures", r.pictures},
            {"candidates", r.candidates}};
  }

  // The instrument on real pairs it was not trained on, before anything is said of generated ones.
  Json calibration() {
    std::vector<Prompted> known, unknown;
    std::set<std::string> families;
    for (const Entry& e : set_->entries()) {
      if (e.split == data::Split::train && !scorer_trains_on(e) && static_cast<int>(known.size()) < o_.samples &&
          families.insert(e.family).second) {
        known.push_back({&e, "", nullptr});
      }
    }
    unknown = prompted(data::Split::validation, o_.samples, -1);
    for (Prompted& p : unknown) p.ground = nullptr;
    const auto pictures = [&](const std::vector<Prompted>& list) {
      std::vector<Image> images;
      for (const Prompted& p : list) images.push_back(real(p));
      return images;
    };
    return {{"seen_concepts", to_json(score(known, pictures(known)))},
            {"unseen_concepts", to_json(score(unknown, pictures(unknown)))}};
  }

  Json faithfulness(const std::vector<Prompted>& seen, const std::vector<Image>& images) {
    const Retrieval known = score(seen, images);
    const auto unseen = prompted(data::Split::validation, o_.samples, -1);
    const Retrieval unknown = score(unseen, generate(unseen, "unseen concepts"));
    const auto worded = prompted(data::Split::train, o_.samples / 2, 1);
    const Retrieval rephrased = score(worded, generate(worded, "new wordings"));
    return {{"seen_concepts", to_json(known)},
            {"unseen_concepts", to_json(unknown)},
            {"seen_concepts_new_wording", to_json(rephrased)}};
  }

  Json distribution(const std::vector<Prompted>& seen, const std::vector<Image>& images) {
    std::vector<Image> reference, validation;
    std::vector<int> ids = fixed_choice(set_->entries(), data::Split::train, o_.reference);
    Rng rng(o_.seed, kGroundStream + 100);
    const auto on_ground = [&](int id) {
      const data::NamedColour* ground = data::sample_background(rng);
      return media::composite(set_->picture(id), ground != nullptr ? ground->rgb : kWhite);
    };
    for (int id : ids) reference.push_back(on_ground(id));
    for (int id : fixed_choice(set_->entries(), data::Split::validation, static_cast<int>(images.size())))
      validation.push_back(on_ground(id));
    const auto report = [&](std::int64_t done, std::int64_t total, const std::string&) {
      if (progress_) progress_(done, total, "features");
    };
    const auto r = extractor_->features(reference, report, &cancel_),
               v = extractor_->features(validation, report, &cancel_);
    const auto s = extractor_->features(images, report, &cancel_);
    const auto kid = metrics::kid(s, r), floor = metrics::kid(v, r);
    nearest_sheet(seen, images, metrics::nearest(s, r), reference);
    return {{"extractor", extractor_->name()},
            {"kid", kid.mean},
            {"kid_deviation", kid.standard_deviation},
            {"kid_floor_validation_to_training", floor.mean},
            {"kid_floor_deviation", floor.standard_deviation},
            {"kid_over_floor", kid.mean / floor.mean},
            {"draws", kid.draws},
            {"draw_size", kid.draw_size},
            {"frechet_64_axes", metrics::frechet(s, r)},
            {"frechet_floor_two_halves_of_training", metrics::frechet_floor(r)},
            {"samples", s.count},
            {"validation_pictures", v.count},
            {"reference_pictures", r.count}};
  }

  // A sample and the training picture nearest to it, side by side: copying shows.
  void nearest_sheet(const std::vector<Prompted>& prompts, const std::vector<Image>& images,
                     const std::vector<std::int64_t>& near, const std::vector<Image>& reference) const {
    std::vector<plot::Tile> tiles;
    for (std::size_t i = 0; i < std::min<std::size_t>(24, images.size()); ++i) {
      tiles.push_back({images[i], prompts[i].prompt});
      tiles.push_back({reference[static_cast<std::size_t>(near[i])], "nearest training picture"});
    }
    media::write_image(
        o_.output / "nearest.png",
        plot::contact_sheet(tiles, {.columns = 8, .title = "samples and their nearest training pictures"}));
  }

  void draw(const char* file, const std::string& title, const std::vector<std::string>& prompts) {
    if (prompts.empty()) return;
    std::vector<plot::Tile> tiles;
    const auto images = generate(prompts, title);
    for (std::size_t i = 0; i < prompts.size(); ++i) tiles.push_back({images[i], prompts[i]});
    media::write_image(o_.output / file, plot::contact_sheet(tiles, {.columns = 8, .title = title}));
  }

  // Entries of a split spread over families, in a trained wording that names the style.
  std::vector<std::string> split_prompts(data::Split split, int count) {
    std::vector<std::string> out;
    for (const Prompted& p : prompted(split, count, -1)) out.push_back(data::styled_caption(*p.entry, p.ground));
    return out;
  }

  void sheets() {
    draw("training_concepts.png", "concepts of the training set in new words, styles and colours", new_wordings());
    draw("combinations.png", "combinations held out of training", split_prompts(data::Split::combination, 24));
    draw("compositions.png", "compositions that no emoji shows", compositions());
    draw("held_out.png", "families never seen: what the model cannot know", split_prompts(data::Split::test, 16));
  }

  const diffusion::Model& model_;
  diffusion::Pipeline& pipeline_;
  EvaluationOptions o_;
  const ProgressFn& progress_;
  const CancelToken& cancel_;
  std::shared_ptr<const data::EmojiSet> set_;
  std::optional<metrics::SqueezeNetExtractor> extractor_;
  std::optional<Scorer> scorer_;
  Json settings_;
};

}  // namespace

Json evaluate(const diffusion::Model& model, diffusion::Pipeline& pipeline, graph::Executor& executor,
              const EvaluationOptions& options, const ProgressFn& progress, const CancelToken& cancel) {
  return Evaluator(model, pipeline, executor, options, progress, cancel).run();
}

}  // namespace thimble::train
