#include "diffusion/published/denoising.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "diffusion/guidance.h"
#include "diffusion/published/stopwatch.h"
#include "diffusion/published/trig_flow.h"
#include "models/flux.h"

namespace thimble::diffusion {
namespace {

using graph::Shape;
using graph::Tensor;

// The guidance weight as latent consistency models read it: sines, then cosines.
std::vector<float> weight_embedding(double guidance, int width) {
  std::vector<float> values(static_cast<std::size_t>(width), 0);
  const int half = width / 2;
  for (int i = 0; i < half; ++i) {
    const double rate = std::exp(-std::log(10000.0) * i / (half - 1));
    const double angle = (guidance - 1) * 1000 * rate;
    values[static_cast<std::size_t>(i)] = static_cast<float>(std::sin(angle));
    values[static_cast<std::size_t>(half + i)] = static_cast<float>(std::cos(angle));
  }
  return values;
}

// The denoiser for n pictures: rows 0 .. n-1 are the first pass, the next n the second, and so on. The first pass knows
// prompt and picture, the last neither; the second of three knows the picture.
class GuidedDenoiser {
 public:
  GuidedDenoiser(StageContext& stage, const PublishedSettings& settings, std::size_t pictures)
      : stage_(stage),
        s_(settings),
        facts_(stage.model.facts()),
        n_(pictures),
        rows_(pictures * static_cast<std::size_t>(settings.passes)),
        run_rows_(settings.passes_apart ? pictures : rows_) {
    Stopwatch watch;
    const formats::DiffusersPart& part = stage.model.part(facts_.denoiser);
    network_ = open_network(stage, part, models::Role::denoiser, denoiser_size(stage.model, s_, n_), steady_inputs());
    report_ = {
        .part = part.name, .load = watch.lap(), .memory = network_->memory(), .stored_bytes = network_->stored_bytes()};
    warn_above_limit(stage, report_);
  }
  ~GuidedDenoiser() { stage_.result.components.push_back(report_); }
  GuidedDenoiser(const GuidedDenoiser&) = delete;
  GuidedDenoiser& operator=(const GuidedDenoiser&) = delete;

  void begin(std::span<const PictureStart> starts, std::span<const PictureText> texts) {
    Stopwatch watch;
    starts_ = starts;
    fixed_.clear();
    for (std::size_t first = 0; first < rows_; first += run_rows_) {
      fix(texts, first);
      fixed_.push_back(network_->fixed());
    }
    report_.run += watch.lap();
  }

  // The guided output (h, w, c) of each picture, for latents that the sampler has scaled.
  const std::vector<std::vector<float>>& operator()(std::span<const std::vector<float>> latents, double time) {
    Stopwatch watch;
    for (std::size_t first = 0; first < rows_; first += run_rows_) {
      network_->restore(fixed_[first / run_rows_]);
      Tensor input = joined(latents, first);
      if (facts_.packed) input = models::pack_latent(input);
      const auto rows = static_cast<std::int64_t>(run_rows_);
      const NamedTensors& out =
          network_->run({{facts_.latent_input, input},
                         {"timestep", Tensor::filled({rows}, static_cast<float>(time * facts_.time_factor))}},
                        stage_.cancel);
      Tensor made = out.at("sample");
      if (facts_.packed) made = models::unpack_latent(made, s_.latent.height, s_.latent.width);
      take(made, first);
    }
    guide_all();
    report_.run += watch.lap();
    return outputs_;
  }

 private:
  // The steady inputs of run_rows_ rows from `first` on.
  void fix(std::span<const PictureText> texts, std::size_t first) {
    const auto rows = static_cast<std::int64_t>(run_rows_);
    const TextPlan& plan = facts_.text;
    NamedTensors values;
    values["encoder_hidden_states"] = by_row(texts, first, {rows, plan.tokens(), plan.width()}, &TextStates::states);
    values["encoder_attention_mask"] = by_row(texts, first, {rows, 1, 1, plan.tokens()}, &TextStates::mask);
    if (plan.pooled_width() > 0) {
      const Tensor pooled = by_row(texts, first, {rows, plan.pooled_width()}, &TextStates::pooled);
      values["pooled_projections"] = values["text_embeds"] = pooled;
    }
    const auto height = static_cast<float>(s_.height), width = static_cast<float>(s_.width);
    values["time_ids"] = same_in_rows({height, width, 0, 0, height, width});
    values["resolution"] = same_in_rows({height, width});
    values["aspect_ratio"] = same_in_rows({height / width});
    values["guidance"] = Tensor::filled({rows}, static_cast<float>(s_.guidance * facts_.guidance_factor));
    if (facts_.guidance_width > 0) {
      values["timestep_cond"] = same_in_rows(weight_embedding(s_.guidance, facts_.guidance_width));
    }
    network_->fix(values, stage_.cancel);
  }

  // Rows of `of`, from the texts that each pass reads.
  Tensor by_row(std::span<const PictureText> texts, std::size_t first, const Shape& shape,
                std::vector<float> TextStates::*of) const {
    Tensor made({DType::f32, shape});
    auto to = made.mutable_as<float>();
    for (std::size_t i = 0; i < run_rows_; ++i) {
      const PictureText& text = texts[(first + i) % n_];
      const std::vector<float>& from = (first + i < n_ ? text.prompt : text.negative)->*of;
      check(from.size() * run_rows_ == made.as<float>().size(), "a text of the plan's size");
      std::ranges::copy(from, to.subspan(i * from.size()).begin());
    }
    return made;
  }

  Tensor same_in_rows(const std::vector<float>& row) const {
    Tensor made({DType::f32, {static_cast<std::int64_t>(run_rows_), static_cast<std::int64_t>(row.size())}});
    for (std::size_t r = 0; r < run_rows_; ++r) {
      std::ranges::copy(row, made.mutable_as<float>().subspan(r * row.size()).begin());
    }
    return made;
  }

  // Latents and, beside them, what the picture adds.
  Tensor joined(std::span<const std::vector<float>> latents, std::size_t first) const {
    const auto own = static_cast<std::size_t>(s_.latent.channels);
    const auto more = static_cast<std::size_t>(starts_.front().condition_channels), all = own + more;
    Tensor made(
        {DType::f32,
         {static_cast<std::int64_t>(run_rows_), s_.latent.height, s_.latent.width, static_cast<std::int64_t>(all)}});
    const auto to = made.mutable_as<float>();
    const std::size_t cells = s_.latent.cells();
    for (std::size_t row = 0; row < run_rows_; ++row) {
      const std::size_t r = first + row;
      const bool blind = s_.passes == 3 && r >= 2 * n_;
      const std::vector<float>& latent = latents[r % n_];
      const std::vector<float>& condition = starts_[r % n_].condition;
      for (std::size_t i = 0; i < cells; ++i) {
        const auto cell = to.subspan((row * cells + i) * all, all);
        std::copy_n(latent.begin() + static_cast<std::ptrdiff_t>(i * own), own, cell.begin());
        if (more > 0 && !blind) {
          std::copy_n(condition.begin() + static_cast<std::ptrdiff_t>(i * more), more,
                      cell.begin() + static_cast<std::ptrdiff_t>(own));
        }
      }
    }
    return made;
  }

  // Keeps the network's output for each row of one run, without the variance.
  void take(const Tensor& made, std::size_t first) {
    const auto own = static_cast<std::size_t>(s_.latent.channels);
    const auto channels = static_cast<std::size_t>(made.shape().back());
    // Twice as many: the second half is a variance that samplers do not use.
    if (channels != own && channels != 2 * own) {
      fail(ErrorKind::unsupported, "the denoiser gives {} channels for latents of {}", channels, own);
    }
    const auto values = made.as<float>();
    const std::size_t cells = s_.latent.cells();
    by_row_.resize(rows_);
    for (std::size_t row = 0; row < run_rows_; ++row) {
      std::vector<float>& to = by_row_[first + row];
      to.resize(cells * own);
      for (std::size_t i = 0; i < cells; ++i) {
        std::ranges::copy(values.subspan((row * cells + i) * channels, own),
                          to.begin() + static_cast<std::ptrdiff_t>(i * own));
      }
    }
  }

  void guide_all() {
    outputs_.resize(n_);
    for (std::size_t p = 0; p < n_; ++p) {
      std::vector<float>& guided = outputs_[p];
      guided.swap(by_row_[p]);
      if (s_.passes == 1) continue;
      const std::vector<float>& second = by_row_[n_ + p];
      guide({.scale = s_.guidance}, guided, second);
      if (s_.passes == 2) continue;
      // without + image guidance * (picture - without) + guidance * (both - picture)
      const std::vector<float>& third = by_row_[2 * n_ + p];
      const double more = s_.image_guidance - 1;
      for (std::size_t i = 0; i < second.size(); ++i) {
        guided[i] = static_cast<float>(guided[i] + more * (double{second[i]} - third[i]));
      }
    }
  }

  StageContext& stage_;
  const PublishedSettings& s_;
  const PublishedFacts& facts_;
  std::size_t n_, rows_, run_rows_;  // pictures; all rows of a step; those of one run
  std::unique_ptr<Network> network_;
  std::vector<NamedTensors> fixed_;  // by run
  ComponentReport report_;
  std::span<const PictureStart> starts_;
  std::vector<std::vector<float>> by_row_, outputs_;
};

// alpha * picture + sigma * noise, as the sampler's latents are at a level.
std::vector<float> noised(const PictureStart& start, const NoiseLevel& level) {
  std::vector<float> latent(start.picture.size());
  for (std::size_t i = 0; i < latent.size(); ++i) {
    latent[i] = static_cast<float>(level.alpha * start.picture[i] + level.sigma * start.noise[i]);
  }
  return latent;
}

std::vector<float> first_latent(const PictureStart& start, const PublishedSettings& s, const Sampler& sampler) {
  if (s.from_picture) return noised(start, sampler.level(0));
  std::vector<float> latent = start.noise;
  for (float& v : latent) v = static_cast<float>(v * sampler.initial_scale());
  return latent;
}

// Outside the mask the picture comes back, as noisy as the next call will take it.
void blend(const PictureStart& start, const Sampler& sampler, int call, std::vector<float>& latent) {
  const std::vector<float> known = call + 1 < sampler.calls() ? noised(start, sampler.level(call + 1)) : start.picture;
  const std::size_t channels = latent.size() / start.mask.size();
  for (std::size_t i = 0; i < latent.size(); ++i) {
    const float anew = start.mask[i / channels];
    latent[i] = (1 - anew) * known[i] + anew * latent[i];
  }
}

// What the network takes `x`, the latent at a level, for without its noise. The latents of some samplers are clean +
// ratio * noise: both kinds have the same picture once they are scaled to a spread of 1 (flow paths are left alone).
std::vector<float> clean_estimate(const PublishedSettings& s, NoiseLevel level, std::span<const float> x,
                                  std::span<const float> output) {
  const Prediction prediction = s.scheduler.options.prediction;
  const double spread = prediction == Prediction::v ? std::hypot(level.alpha, level.sigma) : 1;
  level.alpha /= spread;
  level.sigma /= spread;
  std::vector<float> clean(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    clean[i] = static_cast<float>(estimate(prediction, level, x[i] / spread, output[i]).clean);
  }
  return clean;
}

void run_pictures(GuidedDenoiser& denoiser, const PublishedSettings& s, std::span<const PictureStart> starts,
                  std::span<std::vector<float>> latents, StageContext& stage, const DenoisingWatch& watching,
                  bool first_of_call) {
  std::vector<std::unique_ptr<Sampler>> samplers;
  for (std::size_t p = 0; p < starts.size(); ++p) {
    SamplerOptions o = s.scheduler.options;
    o.seed = starts[p].seed;
    o.noise = starts[p].sampler_noise;
    samplers.push_back(make_published_sampler(s.scheduler, s.levels, o, s.latent.elements()));
    latents[p] = first_latent(starts[p], s, *samplers[p]);
  }
  const Sampler& lead = *samplers.front();
  std::vector<std::vector<float>> scaled(starts.size());
  Stopwatch watch;
  for (int i = 0; i < lead.calls(); ++i) {
    if (stage.cancel != nullptr) stage.cancel->throw_if_cancelled();
    for (std::size_t p = 0; p < starts.size(); ++p) {
      scaled[p] = latents[p];
      for (float& v : scaled[p]) v = static_cast<float>(v * lead.input_scale(i));
    }
    const auto& outputs = denoiser(scaled, lead.level(i).time);
    std::vector<float> clean;
    if (first_of_call && watching.on_estimate) clean = clean_estimate(s, lead.level(i), latents[0], outputs[0]);
    for (std::size_t p = 0; p < starts.size(); ++p) {
      samplers[p]->step(i, outputs[p], latents[p]);
      if (s.blend) blend(starts[p], *samplers[p], i, latents[p]);
    }
    stage.result.calls.push_back(watch.lap());
    if (watching.on_call) watching.on_call();
    if (!clean.empty()) watching.on_estimate(i + 1, lead.calls(), clean);
  }
}

}  // namespace

models::BuildSize denoiser_size(const PublishedModel& model, const PublishedSettings& s, std::size_t pictures) {
  const int passes = s.passes_apart ? 1 : s.passes;
  return {.batch = static_cast<int>(pictures) * passes,
          .height = s.latent.height,
          .width = s.latent.width,
          .tokens = model.facts().text.tokens()};
}

const std::set<std::string>& steady_inputs() {
  static const std::set<std::string> names{"encoder_hidden_states",
                                           "encoder_attention_mask",
                                           "pooled_projections",
                                           "text_embeds",
                                           "time_ids",
                                           "resolution",
                                           "aspect_ratio",
                                           "guidance",
                                           "timestep_cond"};
  return names;
}

std::vector<std::vector<float>> denoise(StageContext& stage, const PublishedSettings& settings,
                                        std::span<const PictureStart> starts, std::span<const PictureText> texts,
                                        const DenoisingWatch& watch) {
  std::vector<std::vector<float>> latents(starts.size());
  const auto batch = static_cast<std::size_t>(settings.batch);
  const std::size_t whole = starts.size() - starts.size() % batch;
  const auto run = [&](std::size_t first, std::size_t last, std::size_t together) {
    if (first == last) return;
    GuidedDenoiser denoiser(stage, settings, together);
    for (std::size_t at = first; at < last; at += together) {
      denoiser.begin(starts.subspan(at, together), texts.subspan(at, together));
      run_pictures(denoiser, settings, starts.subspan(at, together), std::span(latents).subspan(at, together), stage,
                   watch, at == 0);
    }
  };
  run(0, whole, batch);
  run(whole, starts.size(), starts.size() - whole);
  return latents;
}

}  // namespace thimble::diffusion
