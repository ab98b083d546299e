#include "diffusion/published/latent_start.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/picture.h"
#include "diffusion/published/stopwatch.h"
#include "diffusion/torch_rng.h"
#include "media/transform.h"

namespace thimble::diffusion {
namespace {

using graph::Tensor;
using Values = std::vector<float>;

// What the encoder says of a picture: a latent, and how sure it is where it is a variational one.
struct Posterior {
  Values mean, log_variance;
};

class PictureEncoder {
 public:
  PictureEncoder(StageContext& stage, const PublishedSettings& settings) : stage_(stage), settings_(settings) {}

  ~PictureEncoder() {
    if (network_) stage_.result.components.push_back(report_);
  }

  // `picture`: (height, width, 3) in [-1, 1].
  Posterior operator()(const Values& picture) {
    if (picture == last_picture_) return last_;  // many seeds of one picture
    if (!network_) compile();
    Stopwatch watch;
    const Tensor image = Tensor::of({1, settings_.height, settings_.width, 3}, picture);
    const NamedTensors& out = network_->run({{"image", image}}, stage_.cancel);
    const auto latent = out.at("latent").as<float>();
    last_.mean.assign(latent.begin(), latent.end());
    if (const auto it = out.find("moments"); it != out.end()) {
      const auto both = it->second.as<float>();
      const auto channels = static_cast<std::size_t>(settings_.latent.channels);
      last_.log_variance.clear();
      for (std::size_t cell = 0; cell < settings_.latent.cells(); ++cell) {
        const auto one = both.subspan((2 * cell + 1) * channels, channels);
        last_.log_variance.insert(last_.log_variance.end(), one.begin(), one.end());
      }
    }
    last_picture_ = picture;
    report_.run += watch.lap();
    return last_;
  }

 private:
  void compile() {
    Stopwatch watch;
    const formats::DiffusersPart& part = stage_.model.part(stage_.model.facts().autoencoder);
    network_ =
        open_network(stage_, part, models::Role::encoder, {.height = settings_.height, .width = settings_.width});
    report_ = {.part = part.name + " encoder",
               .load = watch.lap(),
               .memory = network_->memory(),
               .stored_bytes = network_->stored_bytes()};
    warn_above_limit(stage_, report_);
  }

  StageContext& stage_;
  const PublishedSettings& settings_;
  std::unique_ptr<Network> network_;
  ComponentReport report_;
  Values last_picture_;
  Posterior last_;
};

Values scaled(Values latent, const PublishedFacts& facts) {
  const auto shift = static_cast<float>(facts.latent_shift), scale = static_cast<float>(facts.latent_scale);
  for (float& v : latent) v = (v - shift) * scale;
  return latent;
}

Values sampled(const Posterior& p, const Values& noise) {
  Values latent = p.mean;
  for (std::size_t i = 0; i < p.log_variance.size(); ++i) {
    latent[i] += std::exp(0.5F * std::clamp(p.log_variance[i], -30.0F, 20.0F)) * noise[i];
  }
  return latent;
}

Values pixels_of(const media::Image& image, const PublishedSettings& s) {
  const bool fits = image.width == s.width && image.height == s.height;
  Values values(static_cast<std::size_t>(s.width) * static_cast<std::size_t>(s.height) * 3);
  from_image(fits ? image : media::resize(image, s.width, s.height, media::Filter::bicubic), 3, values);
  return values;
}

// (height, width): 1 where it is painted anew.
Values mask_of(const media::Image& mask, const PublishedSettings& s) {
  media::Image grey = media::to_channels(mask, 1);
  if (grey.width != s.width || grey.height != s.height) grey = media::resize(grey, s.width, s.height);
  Values values(grey.pixels.size());
  std::ranges::transform(grey.pixels, values.begin(), [](std::uint8_t v) { return v >= 128 ? 1.0F : 0.0F; });
  return values;
}

// The pixel at the corner of each cell, as nearest neighbours are taken.
Values mask_of_cells(const Values& mask, const PublishedSettings& s) {
  const auto step = static_cast<std::size_t>(s.height / s.latent.height), width = static_cast<std::size_t>(s.width);
  Values cells;
  for (std::size_t y = 0; y < static_cast<std::size_t>(s.latent.height); ++y) {
    for (std::size_t x = 0; x < static_cast<std::size_t>(s.latent.width); ++x) {
      cells.push_back(mask[y * step * width + x * step]);
    }
  }
  return cells;
}

// The mask's channel, then those of the picture.
Values mask_and_latent(const Values& mask, const Values& latent) {
  const std::size_t channels = latent.size() / mask.size();
  Values both;
  for (std::size_t cell = 0; cell < mask.size(); ++cell) {
    both.push_back(mask[cell]);
    const auto at = latent.begin() + static_cast<std::ptrdiff_t>(cell * channels);
    both.insert(both.end(), at, at + static_cast<std::ptrdiff_t>(channels));
  }
  return both;
}

PictureStart prepare(PictureEncoder& encoder, const PublishedRequest& request, const PublishedSettings& s,
                     const PublishedFacts& facts) {
  PictureNoise source(s.generator, request.seed, s.latent);
  PictureStart start;
  start.seed = request.seed;
  Values pixels, mask;
  if (!request.image.empty()) pixels = pixels_of(request.image, s);
  if (!request.mask.empty()) {
    mask = mask_of(request.mask, s);
    start.mask = mask_of_cells(mask, s);
  }
  if (s.draws_picture) {
    const Posterior p = encoder(pixels);
    start.picture =
        scaled(p.log_variance.empty() ? p.mean : sampled(p, source.draw(PictureNoise::Use::picture)), facts);
  }
  start.noise = request.noise.empty() ? source.draw(PictureNoise::Use::start) : request.noise;
  if (facts.conditioning == Conditioning::image) {
    start.condition = encoder(pixels).mean;
    start.condition_channels = s.latent.channels;
  }
  if (facts.conditioning == Conditioning::mask_and_image) {
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      if (mask[i / 3] != 0) pixels[i] = 0;
    }
    const Posterior p = encoder(pixels);
    const Values covered = p.log_variance.empty() ? p.mean : sampled(p, source.draw(PictureNoise::Use::masked_picture));
    start.condition = mask_and_latent(start.mask, scaled(covered, facts));
    start.condition_channels = s.latent.channels + 1;
  } else if (s.blend) {
    // The original encodes the covered picture here too and does not use it: what follows is drawn after it.
    static_cast<void>(source.draw(PictureNoise::Use::masked_picture));
  }
  start.sampler_noise = source.for_sampler();
  return start;
}

}  // namespace

struct PictureNoise::Torch {
  TorchRng rng;
  LatentSize size;
  Values planes;

  // Drawn as (channels, h, w).
  void fill(std::span<float> out) {
    planes.resize(size.elements());
    rng.randn(planes);
    const std::size_t cells = size.cells(), channels = static_cast<std::size_t>(size.channels);
    for (std::size_t i = 0; i < cells; ++i) {
      for (std::size_t c = 0; c < channels; ++c) out[i * channels + c] = planes[c * cells + i];
    }
  }
};

PictureNoise::PictureNoise(NoiseGenerator generator, std::uint64_t seed, const LatentSize& size)
    : seed_(seed), elements_(size.elements()) {
  if (generator == NoiseGenerator::torch) torch_ = std::make_shared<Torch>(Torch{TorchRng(seed), size, {}});
}

PictureNoise::~PictureNoise() = default;
PictureNoise::PictureNoise(PictureNoise&&) noexcept = default;

std::vector<float> PictureNoise::draw(Use use) {
  // Samplers number their streams from 1 on.
  constexpr std::uint64_t kPictureStreams = std::uint64_t{1} << 32;
  Values out(elements_);
  if (torch_) {
    torch_->fill(out);
  } else {
    fill_normal(out, seed_, use == Use::start ? 0 : kPictureStreams + static_cast<std::uint64_t>(use));
  }
  return out;
}

NoiseSource PictureNoise::for_sampler() {
  if (!torch_) return {};
  return [torch = torch_](std::span<float> out) { torch->fill(out); };
}

std::vector<PictureStart> prepare_starts(StageContext& stage, std::span<const PublishedRequest> requests,
                                         const PublishedSettings& settings) {
  PictureEncoder encoder(stage, settings);
  std::vector<PictureStart> starts;
  for (const PublishedRequest& r : requests) starts.push_back(prepare(encoder, r, settings, stage.model.facts()));
  return starts;
}

}  // namespace thimble::diffusion
