#include "train/generator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "diffusion/model.h"
#include "diffusion/pipeline.h"
#include "media/codec.h"
#include "plot/sheet.h"
#include "train/autoencoder.h"
#include "train/checkpoint.h"
#include "train/export.h"
#include "train/generator_batch.h"
#include "train/prefetch.h"
#include "train/shards.h"
#include "train/tokenizer.h"
#include "train/torch_executor.h"

namespace thimble::train {
namespace {

constexpr std::uint64_t kBatchStream = 4ull << 32, kValidationStream = 5ull << 32, kInitSeed = 21;
constexpr int kQuarters = 4, kValidationBatches = 2;

// Rows [first, first + count) of a tensor on the CPU, on `device`.
at::Tensor rows(const graph::Tensor& t, int first, int count, const at::Device& device) {
  return borrow(t.view()).narrow(0, first, count).to(device);
}
at::Tensor rows(const std::vector<float>& values, std::vector<std::int64_t> shape, int first,
                const at::Device& device) {
  const std::int64_t row = static_cast<std::int64_t>(graph::element_count(shape)) / shape[0];
  return at::from_blob(const_cast<float*>(values.data()) + first * row, shape, at::kFloat).to(device);
}

// Inputs in the graph's order, found by name.
std::vector<at::Tensor> bind_inputs(const graph::Graph& g, const std::map<std::string, at::Tensor>& values) {
  std::vector<at::Tensor> bound;
  for (const graph::ValueId id : g.inputs) bound.push_back(values.at(g.value(id).name));
  return bound;
}

struct Networks {
  graph::Graph text, denoiser;
};

// Mean loss, and sums by quarter of t.
struct FlowLoss {
  double total = 0;
  std::array<double, kQuarters> sum{}, count{};
  void add(const FlowLoss& l, double weight) {
    total += weight * l.total;
    for (int q = 0; q < kQuarters; ++q) {
      sum[q] += l.sum[q];
      count[q] += l.count[q];
    }
  }
  // A quarter that no sample fell into repeats the mean.
  double quarter(int q) const { return count[q] > 0 ? sum[q] / count[q] : total; }
};

class Flow {
 public:
  Flow(const GeneratorTraining& o, const at::Device& device) : o_(o), device_(device) {}

  // Programs for one shard's batch, made when a text length comes up first. Not for several threads at once.
  const Networks& networks(int batch, int length) {
    const auto [it, fresh] = networks_.try_emplace({batch, length});
    if (fresh)
      it->second = {models::build_text_encoder(o_.text, batch, length), models::build_dit(o_.denoiser, batch, length)};
    return it->second;
  }

  // Loss of rows [first, first + count); with gradients when grad mode is on.
  FlowLoss run(const Networks& n, const Parameters& parameters, const GeneratorBatch& batch, int first,
               int count) const {
    const diffusion::PromptBatch& p = batch.prompts;
    const at::Tensor mask = rows(p.mask, first, count, device_);
    const auto text = run_graph(n.text, parameters,
                                bind_inputs(n.text, {{"ids", rows(p.ids, first, count, device_)},
                                                     {"mask", mask},
                                                     {"keep", rows(p.keep, first, count, device_)}}),
                                o_.precision);
    std::map<std::string, at::Tensor> inputs{{"mask", mask}};
    for (std::size_t i = 0; i < text.size(); ++i)
      inputs[n.text.outputs[i].name == "states" ? "text" : "pooled"] = text[i];
    const std::vector<std::int64_t> shape{count, o_.denoiser.grid, o_.denoiser.grid, o_.denoiser.latent_channels};
    inputs["latent"] = rows(batch.noisy, shape, first, device_);
    inputs["time"] = rows(batch.time, {count}, first, device_);
    const at::Tensor velocity = run_graph(n.denoiser, parameters, bind_inputs(n.denoiser, inputs), o_.precision)[0];
    const at::Tensor each =
        at::square(velocity - rows(batch.velocity, shape, first, device_)).mean(at::IntArrayRef{1, 2, 3});
    const at::Tensor loss = each.mean();
    if (at::GradMode::is_enabled()) torch::autograd::backward({loss}, {});
    FlowLoss result;
    result.total = loss.item<double>();
    const at::Tensor values = each.detach().cpu().to(at::kFloat).contiguous();
    for (int i = 0; i < count; ++i) {
      const int q =
          std::clamp(static_cast<int>(batch.time[static_cast<std::size_t>(first + i)] * kQuarters), 0, kQuarters - 1);
      result.sum[q] += values.data_ptr<float>()[i];
      result.count[q] += 1;
    }
    return result;
  }

 private:
  const GeneratorTraining& o_;
  at::Device device_;
  std::map<std::pair<int, int>, Networks> networks_;
};

const std::vector<std::string>& sample_prompts() {
  static const std::vector<std::string> prompts{"grinning face, flat style",
                                                "a glossy emoji of smiling face with sunglasses",
                                                "a 3d emoji of loudly crying face",
                                                "angry face, noto style",
                                                "a twemoji emoji of red heart",
                                                "cat face, 3d style",
                                                "a flat emoji of dog face",
                                                "fox, noto style",
                                                "a glossy emoji of octopus",
                                                "butterfly, 3d style",
                                                "red apple, glossy style",
                                                "a 3d emoji of hamburger",
                                                "pizza, flat style",
                                                "birthday cake, noto style on a pink background",
                                                "a 3d emoji of rocket",
                                                "automobile, twemoji style",
                                                "a flat emoji of soccer ball on a green background",
                                                "crown, glossy style on a purple background",
                                                "a noto emoji of a firefighter with medium-dark skin",
                                                "a woman with light skin and red hair, flat style",
                                                "thumbs up: dark skin tone, 3d style",
                                                "waving hand: medium skin tone, twemoji style",
                                                "flag of Japan",
                                                "rainbow, glossy style on a blue background"};
  return prompts;
}

void draw_samples(const GeneratorTraining& o, graph::Executor& executor) {
  const auto path = o.loop.run_dir / "model.safetensors";
  ExportOptions e;
  e.generator = o.loop.run_dir;
  e.autoencoder = o.autoencoder;
  e.latents = o.latents;
  e.tokenizer = o.tokenizer;
  e.out = path;
  e.facts.schedule.shift = 1;
  e.facts.guidance = o.guidance;
  export_model(e);
  const diffusion::Model model = diffusion::Model::open(path);
  diffusion::Pipeline pipeline(model, executor, {.precision = o.precision});
  std::vector<diffusion::Request> requests;
  for (std::size_t i = 0; i < sample_prompts().size(); ++i) requests.push_back({sample_prompts()[i], i});
  diffusion::GenerateOptions options;
  options.steps = o.sample_steps;
  options.sampler = "euler";
  options.batch = static_cast<int>(requests.size());
  const auto made = pipeline.generate(requests, options);
  std::vector<plot::Tile> tiles;
  for (std::size_t i = 0; i < requests.size(); ++i) tiles.push_back({made.images[i], requests[i].prompt});
  media::write_image(o.loop.run_dir / "samples.png",
                     plot::contact_sheet(tiles, {.columns = 6, .tile = 192, .caption_lines = 2, .checkerboard = true}));
}

// Configs whose sizes follow from the cache and the tokenizer.
GeneratorTraining settle(GeneratorTraining o, const LatentCache& cache, const text::Tokenizer& tokenizer) {
  o.text.vocabulary = tokenizer.vocab_size();
  o.text.max_length = std::max(o.text.max_length, o.text_buckets.back());
  o.denoiser.latent_channels = cache.channels();
  o.denoiser.grid = cache.grid();
  o.denoiser.text_width = o.text.out_width;
  if (o.batch < 1) fail(ErrorKind::bad_input, "batch {}: at least 1 was wanted", o.batch);
  return o;
}

}  // namespace

LoopResult train_generator(const GeneratorTraining& given, const ProgressFn& progress, const CancelToken& cancel) {
  set_torch_threads(given.threads);
  keep_freed_memory();
  const at::Device device = torch_device(given.device);
  const auto set = data::EmojiSet::open(given.data);
  const auto cache = std::make_shared<const LatentCache>(LatentCache::open(given.latents));
  const auto tokenizer = std::make_shared<const text::ByteBpe>(read_tokenizer(given.tokenizer));
  const GeneratorTraining o = settle(given, *cache, *tokenizer);
  const DrawOptions draw{o.batch, o.empty_captions, o.reworded, o.on_colour, o.shift, o.text_buckets};
  const GeneratorData data(set, cache, tokenizer, data::Split::train);
  const GeneratorData unseen(set, cache, tokenizer, data::Split::validation);

  Flow flow(o, device);
  const Networks& one = flow.networks(1, o.text_buckets.back());
  Parameters parameters = load_parameters(one.text, graph::initialise(one.text, kInitSeed + o.seed), device);
  parameters.merge(load_parameters(one.denoiser, graph::initialise(one.denoiser, kInitSeed + 1000 + o.seed), device));
  Optimiser optimiser(parameters, {.kind = o.optimiser, .weight_decay = o.weight_decay});
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
  state.facts = {{"kind", "generator"},
                 {"text", models::to_json(o.text)},
                 {"denoiser", models::to_json(o.denoiser)},
                 {"text_buckets", o.text_buckets},
                 {"seed", o.seed}};

  Shards shards(parameters, o.batch, o.threads, device);
  std::vector<GeneratorBatch> fixed_train, fixed_unseen;
  for (int i = 0; i < kValidationBatches; ++i) {
    fixed_train.push_back(data.draw(draw, 0, kValidationStream + static_cast<std::uint64_t>(i)));
    fixed_unseen.push_back(unseen.draw(draw, 0, kValidationStream + static_cast<std::uint64_t>(i)));
  }
  const auto validate = [&](const std::vector<GeneratorBatch>& batches) {
    const at::NoGradGuard guard;
    FlowLoss mean;
    for (const GeneratorBatch& b : batches) {
      const Networks& n = flow.networks(shards.batch(), b.prompts.length);
      std::vector<FlowLoss> parts(static_cast<std::size_t>(shards.count()));
      shards.each([&](int shard) {
        parts[static_cast<std::size_t>(shard)] = flow.run(n, ema.average(), b, shard * shards.batch(), shards.batch());
      });
      for (const FlowLoss& p : parts) mean.add(p, 1.0 / (shards.count() * kValidationBatches));
    }
    return mean.total;
  };
  const auto executor = make_torch_executor(o.device, o.threads);
  Prefetch<GeneratorBatch> batches(state.step, 4, [&](std::int64_t i) {
    return data.draw(draw, o.seed, kBatchStream + static_cast<std::uint64_t>(i));
  });

  LoopHooks hooks;
  hooks.train = [&](std::int64_t, double used) -> Values {
    const GeneratorBatch batch = batches.next();
    const Networks& n = flow.networks(shards.batch(), batch.prompts.length);
    std::vector<FlowLoss> parts(static_cast<std::size_t>(shards.count()));
    shards.run([&](int shard, const Parameters& alias) {
      parts[static_cast<std::size_t>(shard)] = flow.run(n, alias, batch, shard * shards.batch(), shards.batch());
    });
    FlowLoss mean;
    for (const FlowLoss& p : parts) mean.add(p, 1.0 / shards.count());
    const double rate = o.schedule.at(optimiser.steps(), used);
    const double norm = optimiser.step(rate);
    ema.update(parameters);
    return {{"loss", mean.total},
            {"loss_t0", mean.quarter(0)},
            {"loss_t1", mean.quarter(1)},
            {"loss_t2", mean.quarter(2)},
            {"loss_t3", mean.quarter(3)},
            {"gradient", norm},
            {"rate", rate},
            {"text_length", static_cast<double>(batch.prompts.length)}};
  };
  hooks.save = [&](std::int64_t step, double minutes) {
    state.step = step;
    state.minutes = minutes;
    save_checkpoint(o.loop.run_dir, trainee, state);
  };
  hooks.sample = [&](std::int64_t) -> Values {
    Values v{{"loss_train", validate(fixed_train)}, {"loss_unseen", validate(fixed_unseen)}};
    if (!o.autoencoder.empty() && !list_checkpoints(o.loop.run_dir).empty()) draw_samples(o, *executor);
    return v;
  };
  return run_loop(o.loop, hooks, state.step, state.minutes, progress, cancel);
}

TrainedGenerator load_generator(const std::filesystem::path& path) {
  TrainedWeights trained = read_trained(path);
  const std::string what = path.string() + ": facts";
  TrainedGenerator g;
  g.text = models::text_encoder_from_json(get_object(trained.state.facts, "text", what));
  g.denoiser = models::dit_from_json(get_object(trained.state.facts, "denoiser", what));
  for (const Json& bucket : get_array(trained.state.facts, "text_buckets", what)) {
    if (!bucket.is_number_integer()) fail(ErrorKind::bad_file, "{}: 'text_buckets' must hold integers", what);
    g.text_buckets.push_back(bucket.get<int>());
  }
  g.weights = std::move(trained.weights);
  g.step = trained.state.step;
  g.minutes = trained.state.minutes;
  return g;
}

}  // namespace thimble::train
