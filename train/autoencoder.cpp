#include "train/autoencoder.h"

#include <algorithm>
#include <cmath>

#include "media/codec.h"
#include "media/transform.h"
#include "train/checkpoint.h"
#include "train/pictures.h"
#include "train/prefetch.h"
#include "train/shards.h"

namespace thimble::train {
namespace {

constexpr int kSide = data::kPictureSide;
constexpr int kCropsOfOnePicture = 2;  // decoding is dear, so small crops share it
// Streams of random numbers; the batch index is added.
constexpr std::uint64_t kBatchStream = 1ull << 32, kNoiseStream = 2ull << 32, kSigmaStream = 3ull << 32, kInitSeed = 11;

struct Batch {
  std::vector<float> pixels;   // (B, side, side, 4)
  std::vector<float> grounds;  // (B, 3), where the loss looks at the picture over a colour
};

media::Rgb random_colour(Rng& rng) {
  return {static_cast<std::uint8_t>(rng.below(256)), static_cast<std::uint8_t>(rng.below(256)),
          static_cast<std::uint8_t>(rng.below(256))};
}

Window random_window(Rng& rng, int side) {
  Window w{.side = side};
  if (rng.chance(0.3)) w.scale = rng.uniform(0.9, 1.1);
  const double room = kSide - side * w.scale, shift = side < kSide ? 0 : 10;
  const double low = std::min(0.0, room) - shift, high = std::max(0.0, room) + shift;
  w.x = rng.uniform(low, high);
  w.y = rng.uniform(low, high);
  if (w.scale == 1) {
    w.x = std::floor(w.x);
    w.y = std::floor(w.y);
  }
  return w;
}

Batch make_batch(const data::EmojiSet& set, const Sampler& sampler, const AutoencoderTraining& o, int side,
                 std::int64_t index) {
  Rng rng(o.seed, kBatchStream + static_cast<std::uint64_t>(index));
  Batch batch;
  const std::size_t size = static_cast<std::size_t>(side) * side * 4;
  batch.pixels.resize(static_cast<std::size_t>(o.batch) * size);
  media::Image picture;
  const int share = side < kSide ? kCropsOfOnePicture : 1;
  for (int i = 0; i < o.batch; ++i) {
    if (i % share == 0) picture = set.picture(sampler.draw(rng));
    const media::Rgb colour = random_colour(rng);
    const bool solid = rng.chance(o.on_colour);
    sample_window(picture, random_window(rng, side), solid ? &colour : nullptr,
                  {batch.pixels.data() + static_cast<std::size_t>(i) * size, size});
    for (int k = 0; k < 3; ++k) batch.grounds.push_back(static_cast<float>(rng.uniform()));
  }
  return batch;
}

at::Tensor wrap(std::span<float> values, at::IntArrayRef shape, const at::Device& device) {
  return at::from_blob(values.data(), shape, at::kFloat).to(device);
}

std::span<float> part_of(std::vector<float>& values, int part, int parts) {
  const std::size_t size = values.size() / static_cast<std::size_t>(parts);
  return {values.data() + static_cast<std::size_t>(part) * size, size};
}

std::span<float> floats(const at::Tensor& t) { return {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())}; }

// Measures and draws fixed pictures of the validation split.
class Validation {
 public:
  Validation(const data::EmojiSet& set, const AutoencoderTraining& o, const at::Device& device)
      : options_(o), device_(device) {
    ids_ = fixed_choice(set.entries(), data::Split::validation, o.validation_pictures);
    batch_ = std::min<int>(16, static_cast<int>(ids_.size()));
    ids_.resize(ids_.size() / batch_ * batch_);
    pixels_.resize(ids_.size() * kSide * kSide * 4);
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      sample_window(set.picture(ids_[i]), {.side = kSide}, nullptr,
                    {pixels_.data() + i * kSide * kSide * 4, kSide * kSide * 4});
    }
    encoder_ = models::build_encoder(o.model, batch_, kSide);
    decoder_ = models::build_decoder(o.model, batch_, kSide);
  }

  Values run(const Parameters& parameters) {
    const at::NoGradGuard guard;
    std::vector<float> output(pixels_.size());
    double square = 0;
    const std::size_t step = static_cast<std::size_t>(batch_) * kSide * kSide * 4;
    for (std::size_t at = 0; at < pixels_.size(); at += step) {
      const at::Tensor x = at::from_blob(pixels_.data() + at, {batch_, kSide, kSide, 4}, at::kFloat).to(device_);
      const at::Tensor z = run_graph(encoder_, parameters, {x}, options_.precision)[0];
      const at::Tensor y = run_graph(decoder_, parameters, {z}, options_.precision)[0].clamp(-1, 1).cpu().contiguous();
      square += at::square(z).mean().item<double>() * static_cast<double>(step) / static_cast<double>(pixels_.size());
      std::copy_n(y.data_ptr<float>(), step, output.data() + at);
    }
    draw(output);
    const PictureQuality q = picture_quality(output, pixels_, static_cast<int>(ids_.size()), kSide);
    return {{"psnr_rgba", q.rgba}, {"psnr_on_white", q.on_white}, {"latent_rms", std::sqrt(square)}};
  }

 private:
  // Originals over reconstructions, on grey, so that both dark and light edges show.
  void draw(const std::vector<float>& output) const {
    constexpr int kColumns = 8, kRows = 4;
    media::Image sheet(kColumns * kSide, kRows * kSide, 3);
    std::fill(sheet.pixels.begin(), sheet.pixels.end(), std::uint8_t{208});
    for (int i = 0; i < std::min<int>(kColumns * kRows / 2, static_cast<int>(ids_.size())); ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * kSide * kSide * 4;
      const int x = i % kColumns * kSide, y = i / kColumns * 2 * kSide;
      media::draw_over(sheet, to_image({pixels_.data() + at, kSide * kSide * 4}, kSide), x, y);
      media::draw_over(sheet, to_image({output.data() + at, kSide * kSide * 4}, kSide), x, y + kSide);
    }
    media::write_image(options_.loop.run_dir / "reconstructions.png", sheet);
  }

  const AutoencoderTraining& options_;
  at::Device device_;
  int batch_ = 1;
  std::vector<int> ids_;
  std::vector<float> pixels_;
  graph::Graph encoder_, decoder_;
};

struct StepInputs {
  const graph::Graph &encoder, &decoder;
  const AutoencoderTraining& options;
  int side;
  at::Device device;
  std::int64_t index;  // of the random numbers
};

struct StepResult : PictureLoss {
  double latent_square = 0;
  void add(const StepResult& r, double weight) {
    total += weight * r.total;
    absolute += weight * r.absolute;
    squared += weight * r.squared;
    edge += weight * r.edge;
    latent_square += weight * r.latent_square;
  }
};

// Forward and backward of one shard; gradients are left in `parameters`.
StepResult train_part(const StepInputs& in, const Parameters& parameters, std::span<float> pixels,
                      std::span<float> grounds, std::span<float> noise) {
  const AutoencoderTraining& o = in.options;
  const auto batch = static_cast<std::int64_t>(grounds.size() / 3);
  const at::Tensor x = wrap(pixels, {batch, in.side, in.side, 4}, in.device);
  at::Tensor z;
  {
    const at::AutoGradMode mode(!o.decoder_only);
    z = run_graph(in.encoder, parameters, {x}, o.precision)[0];
  }
  Rng rng(o.seed, kSigmaStream + static_cast<std::uint64_t>(in.index));
  std::vector<float> sigma;
  for (std::int64_t i = 0; i < batch; ++i) sigma.push_back(static_cast<float>(rng.uniform(0, o.noise)));
  const at::Tensor shake = wrap(noise, z.sizes(), in.device) * wrap(sigma, {batch, 1, 1, 1}, in.device);
  const at::Tensor y = run_graph(in.decoder, parameters, {z + shake * z.detach().std()}, o.precision)[0];
  const at::Tensor seen = y.detach().cpu().contiguous();
  at::Tensor gradient = at::empty_like(seen);
  StepResult result;
  static_cast<PictureLoss&>(result) =
      picture_loss(o.loss, batch, in.side, floats(seen), pixels, grounds, floats(gradient));
  const at::Tensor square = at::square(z).mean();
  if (o.decoder_only) {
    torch::autograd::backward({y}, {gradient.to(in.device)});
  } else {
    torch::autograd::backward({y, square * o.pull}, {gradient.to(in.device), at::ones_like(square)});
  }
  result.latent_square = square.item<double>();
  return result;
}

Parameters start(const AutoencoderTraining& o, const graph::Graph& encoder, const graph::Graph& decoder,
                 const at::Device& device) {
  Parameters p = load_parameters(encoder, graph::initialise(encoder, kInitSeed + o.seed), device);
  p.merge(load_parameters(decoder, graph::initialise(decoder, kInitSeed + 1000 + o.seed), device));
  return p;
}

// Latents are made with averaged weights (load_autoencoder), so those are the ones to keep.
void freeze_encoder(const Parameters& parameters, const Ema& ema) {
  const at::NoGradGuard guard;
  for (const auto& [name, tensor] : parameters) {
    if (name.starts_with("encoder.")) tensor.detach().copy_(ema.average().at(name));
  }
}

void check_options(const AutoencoderTraining& o, int side) {
  if (o.batch < 1) fail(ErrorKind::bad_input, "batch {}: at least 1 was wanted", o.batch);
  if (side > kSide || side % o.model.compression() != 0 || side < o.model.compression()) {
    fail(ErrorKind::bad_input, "crop {}: a multiple of {} up to {} was wanted", o.crop, o.model.compression(), kSide);
  }
}

}  // namespace

PictureQuality picture_quality(const std::vector<float>& output, const std::vector<float>& target, int pictures,
                               int side) {
  check(output.size() == target.size() && output.size() == static_cast<std::size_t>(pictures) * side * side * 4,
        "picture_quality: sizes");
  const std::size_t size = static_cast<std::size_t>(side) * side * 4;
  const auto psnr = [](double sum, double count) { return 10 * std::log10(4.0 / std::max(sum / count, 1e-10)); };
  PictureQuality q;
  for (int i = 0; i < pictures; ++i) {
    double rgba = 0, white = 0;
    const float *a = output.data() + i * size, *b = target.data() + i * size;
    for (std::size_t p = 0; p < size; p += 4) {
      const double alpha = a[p + 3] - b[p + 3];
      rgba += alpha * alpha;
      for (std::size_t k = 0; k < 3; ++k) {
        const double e = a[p + k] - b[p + k];
        rgba += e * e;
        white += (e - alpha) * (e - alpha);
      }
    }
    q.rgba += psnr(rgba, static_cast<double>(size)) / pictures;
    q.on_white += psnr(white, static_cast<double>(size) * 0.75) / pictures;
  }
  return q;
}

LoopResult train_autoencoder(const AutoencoderTraining& o, const ProgressFn& progress, const CancelToken& cancel) {
  const int side = o.crop > 0 ? o.crop : kSide;
  check_options(o, side);
  set_torch_threads(o.threads);
  keep_freed_memory();
  const at::Device device = torch_device(o.device);
  const auto set = data::EmojiSet::open(o.data);
  const Sampler sampler(set->entries(), data::Split::train);
  Parameters parameters =
      start(o, models::build_encoder(o.model, 1, side), models::build_decoder(o.model, 1, side), device);
  Shards shards(parameters, o.batch, o.threads, device);
  const graph::Graph encoder = models::build_encoder(o.model, shards.batch(), side);
  const graph::Graph decoder = models::build_decoder(o.model, shards.batch(), side);
  Optimiser optimiser(parameters, {.kind = o.optimiser});
  Ema ema(parameters, o.ema);
  const Trainee trainee{&optimiser, &ema};
  RunState state;
  if (o.resume) {
    if (const auto found = resume(o.loop.run_dir, trainee)) state = *found;
  } else if (!list_checkpoints(o.loop.run_dir).empty()) {
    fail(ErrorKind::bad_input, "{} already holds checkpoints; resume, or take another run folder",
         o.loop.run_dir.string());
  }
  if (!o.weights.empty() && state.step == 0) {
    load_checkpoint(o.weights, trainee);
    optimiser.reset();
  }
  if (o.decoder_only) freeze_encoder(parameters, ema);
  state.facts = {{"kind", "autoencoder"}, {"config", models::to_json(o.model)}, {"seed", o.seed}};

  Validation validation(*set, o, device);
  Prefetch<Batch> batches(state.step, 4, [&](std::int64_t i) { return make_batch(*set, sampler, o, side, i); });
  std::vector<float> noise(static_cast<std::size_t>(decoder.type(decoder.inputs[0]).elements() * shards.count()));

  LoopHooks hooks;
  hooks.train = [&](std::int64_t step, double used) -> Values {
    Batch batch = batches.next();
    fill_normal(noise, o.seed, kNoiseStream + static_cast<std::uint64_t>(step));
    std::vector<StepResult> parts(static_cast<std::size_t>(shards.count()));
    shards.run([&](int shard, const Parameters& alias) {
      const StepInputs in{encoder, decoder, o, side, device, step * shards.count() + shard};
      parts[static_cast<std::size_t>(shard)] =
          train_part(in, alias, part_of(batch.pixels, shard, shards.count()),
                     part_of(batch.grounds, shard, shards.count()), part_of(noise, shard, shards.count()));
    });
    StepResult mean;
    for (const StepResult& p : parts) mean.add(p, 1.0 / shards.count());
    const double rate = o.schedule.at(optimiser.steps(), used);
    const double norm = optimiser.step(rate);
    ema.update(parameters);
    return {{"loss", mean.total},
            {"absolute", mean.absolute},
            {"psnr", 10 * std::log10(4 / mean.squared)},
            {"edge", mean.edge},
            {"latent_rms", std::sqrt(mean.latent_square)},
            {"gradient", norm},
            {"rate", rate}};
  };
  hooks.save = [&](std::int64_t step, double minutes) {
    state.step = step;
    state.minutes = minutes;
    save_checkpoint(o.loop.run_dir, trainee, state);
  };
  hooks.sample = [&](std::int64_t) { return validation.run(ema.average()); };
  return run_loop(o.loop, hooks, state.step, state.minutes, progress, cancel);
}

TrainedAutoencoder load_autoencoder(const std::filesystem::path& path) {
  TrainedWeights trained = read_trained(path);
  const Json& config = get_object(trained.state.facts, "config", path.string() + ": facts");
  return {models::autoencoder_from_json(config), std::move(trained.weights)};
}

}  // namespace thimble::train
