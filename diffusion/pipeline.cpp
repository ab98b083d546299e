#include "diffusion/pipeline.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "diffusion/guidance.h"
#include "diffusion/picture.h"
#include "diffusion/prompt.h"
#include "diffusion/published/stopwatch.h"
#include "diffusion/samplers/sampler.h"

namespace thimble::diffusion {
namespace {

using graph::Graph;
using graph::MutableTensorView;
using graph::Tensor;
using graph::TensorView;

// A program with the names of its inputs, so that values are bound by name.
struct Compiled {
  std::unique_ptr<graph::Program> program;
  std::vector<std::string> inputs, outputs;

  std::vector<TensorView> bind(const std::map<std::string, TensorView>& values) const {
    std::vector<TensorView> bound;
    for (const std::string& name : inputs) {
      const auto it = values.find(name);
      if (it == values.end())
        fail(ErrorKind::unsupported, "the network wants an input '{}' that the pipeline does not have", name);
      bound.push_back(it->second);
    }
    return bound;
  }

  // Buffers for all outputs, f32.
  std::vector<Tensor> result() const {
    std::vector<Tensor> made;
    for (const graph::TensorType& t : program->output_types())
      made.emplace_back(graph::TensorType{DType::f32, t.shape});
    return made;
  }
};

std::vector<MutableTensorView> views(std::vector<Tensor>& tensors) {
  std::vector<MutableTensorView> v;
  for (Tensor& t : tensors) v.push_back(t.mutable_view());
  return v;
}

// What depends on the prompt alone, run once for a batch, and the part that every step runs.
struct Denoiser {
  std::optional<Compiled> once;
  Compiled rest;
};

// Rows `rows` of `source` along the first axis.
Tensor take_rows(const Tensor& source, std::span<const int> rows) {
  graph::Shape shape = source.shape();
  const auto row = static_cast<std::size_t>(source.type().elements() / shape[0]);
  shape[0] = static_cast<std::int64_t>(rows.size());
  Tensor taken({DType::f32, shape});
  const auto from = source.as<float>();
  const auto to = taken.mutable_as<float>();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(rows[r]) * row), row,
                to.begin() + static_cast<std::ptrdiff_t>(r * row));
  }
  return taken;
}

double checked(double value, double low, double high, const char* what) {
  if (!(value >= low && value <= high))
    fail(ErrorKind::bad_input, "{} must be between {} and {}, {} came", what, low, high, value);
  return value;
}

// The options with the model's facts filled in, checked.
struct Settings {
  int steps, batch;
  std::string sampler;
  GuidanceOptions guidance;
  double eta;
};

Settings settle(const GenerateOptions& o, const Facts& f) {
  Settings s;
  s.steps = o.steps.value_or(f.steps);
  s.batch = static_cast<int>(checked(o.batch, 1, 64, "the batch"));
  s.sampler = o.sampler.value_or(f.sampler);
  s.guidance.scale = checked(o.guidance.value_or(f.guidance), 0, 1000, "guidance");
  s.guidance.low = checked(o.guidance_low.value_or(f.guidance_low), 0, 1, "the guidance interval");
  s.guidance.high = checked(o.guidance_high.value_or(f.guidance_high), 0, 1, "the guidance interval");
  s.guidance.rescale = checked(o.guidance_rescale.value_or(f.guidance_rescale), 0, 1, "guidance rescale");
  s.eta = checked(o.eta, 0, 1, "eta");
  return s;
}

}  // namespace

struct Pipeline::Impl {
  Impl(const Model& m, graph::Executor& e, const PipelineOptions& o)
      : model(m), executor(e), compile_options{.precision = o.precision} {}

  const Model& model;
  graph::Executor& executor;
  graph::CompileOptions compile_options;
  std::map<std::pair<int, int>, Compiled> text;       // (batch, length)
  std::map<std::pair<int, int>, Denoiser> denoisers;  // (batch, length)
  std::map<int, Compiled> encoders, decoders;         // batch
  double compile_seconds = 0;

  Compiled compile(const Graph& g, const Part& part) {
    Stopwatch watch;
    Compiled c;
    c.program = executor.compile(g, part.weights, compile_options);
    for (const graph::ValueId id : g.inputs) c.inputs.push_back(g.value(id).name);
    for (const graph::NamedValue& o : g.outputs) c.outputs.push_back(o.name);
    compile_seconds += watch.lap();
    return c;
  }

  Compiled& text_program(int batch, int length) {
    const auto key = std::pair{batch, length};
    const auto it = text.find(key);
    return it != text.end() ? it->second
                            : text.emplace(key, compile(model.text_graph(batch, length), model.text())).first->second;
  }

  Denoiser& denoiser(int batch, int length) {
    const auto key = std::pair{batch, length};
    if (const auto it = denoisers.find(key); it != denoisers.end()) return it->second;
    const passes::Split split = split_denoiser(model.denoiser_graph(batch, length));
    Denoiser d;
    if (!split.once.outputs.empty()) d.once = compile(split.once, model.denoiser());
    d.rest = compile(split.rest, model.denoiser());
    return denoisers.emplace(key, std::move(d)).first->second;
  }

  Compiled& coder(std::map<int, Compiled>& kept, int batch, Graph (Model::*build)(int) const) {
    const auto it = kept.find(batch);
    return it != kept.end() ? it->second
                            : kept.emplace(batch, compile((model.*build)(batch), model.autoencoder())).first->second;
  }

  std::vector<float> code(Compiled& c, std::span<const float> values, const graph::Shape& one, int batch,
                          const CancelToken* cancel) {
    graph::Shape shape{batch};
    shape.insert(shape.end(), one.begin(), one.end());
    const TensorView in{{DType::f32, shape}, reinterpret_cast<const std::byte*>(values.data())};
    check(values.size() == static_cast<std::size_t>(in.type.elements()), "a batch of the size that was said");
    auto out = c.result();
    c.program->run(std::vector{in}, views(out), cancel);
    const auto made = out.front().as<float>();
    return {made.begin(), made.end()};
  }

  struct Encoded {
    Tensor states, pooled, mask;
    int length = 0;
  };

  Encoded encode_prompts(const PromptBatch& batch, const CancelToken* cancel) {
    Compiled& c = text_program(static_cast<int>(batch.ids.shape()[0]), batch.length);
    auto out = c.result();
    c.program->run(c.bind({{"ids", batch.ids.view()}, {"mask", batch.mask.view()}, {"keep", batch.keep.view()}}),
                   views(out), cancel);
    Encoded e;
    e.mask = batch.mask;
    e.length = batch.length;
    for (std::size_t i = 0; i < out.size(); ++i) (c.outputs[i] == "states" ? e.states : e.pooled) = std::move(out[i]);
    return e;
  }

  void run_batch(std::span<const Request> requests, const Settings& settings, const Schedule& schedule,
                 Generated& result, const std::function<void()>& on_call, const CancelToken* cancel);
};

namespace {

// The denoiser for one arrangement of prompts over the rows of a batch. `latent` and `time` are read at every run.
class Runner {
 public:
  Runner(Denoiser& d, std::span<const int> rows, const Tensor& states, const Tensor& pooled, const Tensor& mask,
         Tensor& latent, Tensor& time, const CancelToken* cancel)
      : d_(d), states_(take_rows(states, rows)), pooled_(take_rows(pooled, rows)), mask_(take_rows(mask, rows)) {
    std::map<std::string, TensorView> values{
        {"text", states_.view()}, {"pooled", pooled_.view()}, {"mask", mask_.view()}};
    if (d_.once) {
      cached_ = d_.once->result();
      d_.once->program->run(d_.once->bind(values), views(cached_), cancel);
      for (std::size_t i = 0; i < cached_.size(); ++i) values[d_.once->outputs[i]] = cached_[i].view();
    }
    const auto b = static_cast<std::int64_t>(rows.size());
    graph::TensorType latent_type = latent.type(), time_type = time.type();
    latent_type.shape[0] = b;
    time_type.shape[0] = b;
    values["latent"] = {latent_type, latent.data()};
    values["time"] = {time_type, time.data()};
    inputs_ = d_.rest.bind(values);
    result_ = d_.rest.result();
    outputs_ = views(result_);
  }

  std::span<float> operator()(const CancelToken* cancel) {
    d_.rest.program->run(inputs_, outputs_, cancel);
    return {reinterpret_cast<float*>(outputs_.front().data),
            static_cast<std::size_t>(outputs_.front().type.elements())};
  }

 private:
  Denoiser& d_;
  Tensor states_, pooled_, mask_;
  std::vector<Tensor> cached_, result_;
  std::vector<TensorView> inputs_;
  std::vector<MutableTensorView> outputs_;
};

}  // namespace

void Pipeline::Impl::run_batch(std::span<const Request> requests, const Settings& settings, const Schedule& schedule,
                               Generated& result, const std::function<void()>& on_call, const CancelToken* cancel) {
  const int n = static_cast<int>(requests.size());
  const auto levels = schedule.levels(settings.steps);
  const auto elements = static_cast<std::size_t>(graph::element_count(model.latent_shape()));

  // Rows 0 .. n-1 of a guided batch know the text, rows n .. 2n-1 do not; the pictures are in the first n.
  std::vector<std::unique_ptr<Sampler>> samplers;
  for (const Request& r : requests) {
    const SamplerOptions o{.prediction = model.facts().prediction, .eta = settings.eta, .seed = r.seed};
    samplers.push_back(make_sampler(settings.sampler, levels, o, elements));
  }
  const Sampler& lead = *samplers.front();
  const auto guided = [&](int i) { return guided_at(settings.guidance, schedule.fraction(lead.level(i))); };
  bool any_guided = false, any_plain = false;
  for (int i = 0; i < lead.calls(); ++i) (guided(i) ? any_guided : any_plain) = true;

  Stopwatch watch;
  double compiled = compile_seconds;
  const auto lap = [&] {  // seconds since the last lap, compiling left out
    const double seconds = watch.lap() - (compile_seconds - compiled);
    compiled = compile_seconds;
    return seconds;
  };

  std::vector<std::string> prompts;
  for (const Request& r : requests) prompts.push_back(r.prompt);
  if (any_guided) prompts.emplace_back();
  const PromptBatch packed = pack_prompts(model.tokenizer(), prompts, model.facts().text_buckets);
  result.dropped.insert(result.dropped.end(), packed.dropped.begin(), packed.dropped.begin() + n);
  const Encoded text = encode_prompts(packed, cancel);

  graph::Shape shape{any_guided ? 2 * n : n};
  shape.insert(shape.end(), model.latent_shape().begin(), model.latent_shape().end());
  Tensor latent({DType::f32, shape}), time({DType::f32, {shape[0]}});
  const auto x = latent.mutable_as<float>();
  const auto t = time.mutable_as<float>();
  const auto picture = [&](std::span<float> of, int row) {
    return of.subspan(static_cast<std::size_t>(row) * elements, elements);
  };

  std::vector<int> rows(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) rows[static_cast<std::size_t>(i)] = i;
  std::optional<Runner> plain, pair;
  if (any_plain)
    plain.emplace(denoiser(n, text.length), rows, text.states, text.pooled, text.mask, latent, time, cancel);
  if (any_guided) {
    rows.resize(static_cast<std::size_t>(2 * n), n);
    pair.emplace(denoiser(2 * n, text.length), rows, text.states, text.pooled, text.mask, latent, time, cancel);
  }
  result.timings.text += lap();

  for (int i = 0; i < n; ++i) {
    fill_normal(picture(x, i), requests[static_cast<std::size_t>(i)].seed);
  }
  const auto latents = x.first(static_cast<std::size_t>(n) * elements);
  for (float& v : latents) v *= static_cast<float>(lead.initial_scale());
  std::vector<float> held(latents.size());  // the latents while the network sees them scaled
  for (int i = 0; i < lead.calls(); ++i) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    std::ranges::copy(latents, held.begin());
    for (float& v : latents) v *= static_cast<float>(lead.input_scale(i));
    std::fill(t.begin(), t.end(), static_cast<float>(lead.level(i).time));
    const bool both = guided(i);
    if (both)
      std::copy_n(x.begin(), static_cast<std::size_t>(n) * elements,
                  x.begin() + static_cast<std::ptrdiff_t>(n * elements));
    const std::span<float> output = both ? (*pair)(cancel) : (*plain)(cancel);
    std::ranges::copy(held, latents.begin());
    for (int p = 0; p < n; ++p) {
      if (both) guide(settings.guidance, picture(output, p), picture(output, n + p));
      samplers[static_cast<std::size_t>(p)]->step(i, picture(output, p), picture(x, p));
    }
    result.timings.calls.push_back(lap());
    result.timings.sample += result.timings.calls.back();
    if (on_call) on_call();
  }

  model.from_denoiser(latents);
  const auto pixels = code(coder(decoders, n, &Model::decoder_graph), latents, model.latent_shape(), n, cancel);
  const int side = model.image_size();
  const std::size_t one = pixels.size() / static_cast<std::size_t>(n);
  for (int i = 0; i < n; ++i) {
    result.images.push_back(to_image(std::span(pixels).subspan(static_cast<std::size_t>(i) * one, one), side, side,
                                     model.image_channels()));
  }
  result.timings.decode += lap();
}

Pipeline::Pipeline(const Model& model, graph::Executor& executor, const PipelineOptions& options)
    : impl_(new Impl(model, executor, options)) {}

Pipeline::~Pipeline() = default;

Generated Pipeline::generate(std::span<const Request> requests, const GenerateOptions& options,
                             const ProgressFn& progress, const CancelToken* cancel) {
  const Settings settings = settle(options, impl_->model.facts());
  const Schedule schedule(impl_->model.facts().schedule);
  const SamplerOptions trial{.prediction = impl_->model.facts().prediction};
  const int calls = make_sampler(settings.sampler, schedule.levels(settings.steps), trial, 1)->calls();
  if (settings.eta > 0 && settings.sampler != "ddim") {
    fail(ErrorKind::bad_input, "eta is for the sampler ddim, not for {}", settings.sampler);
  }
  for (const Request& r : requests) {
    static_cast<void>(
        pack_prompts(impl_->model.tokenizer(), std::span(&r.prompt, 1), impl_->model.facts().text_buckets));
  }

  Generated result;
  result.steps = settings.steps;
  result.guidance = settings.guidance.scale;
  result.sampler = settings.sampler;
  const auto batch = static_cast<std::size_t>(settings.batch);
  const auto batches = static_cast<std::int64_t>((requests.size() + batch - 1) / batch);
  std::int64_t done = 0;
  std::function<void()> on_call;
  if (progress) on_call = [&] { progress(++done, batches * calls, {}); };
  const double before = impl_->compile_seconds;
  for (std::size_t at = 0; at < requests.size(); at += batch) {
    impl_->run_batch(requests.subspan(at, std::min(batch, requests.size() - at)), settings, schedule, result, on_call,
                     cancel);
  }
  result.timings.compile = impl_->compile_seconds - before;
  return result;
}

std::vector<float> Pipeline::encode(std::span<const float> pictures, int batch) {
  const graph::Shape one{impl_->model.image_size(), impl_->model.image_size(), impl_->model.image_channels()};
  auto latents =
      impl_->code(impl_->coder(impl_->encoders, batch, &Model::encoder_graph), pictures, one, batch, nullptr);
  impl_->model.to_denoiser(latents);
  return latents;
}

std::vector<float> Pipeline::decode(std::span<const float> latents, int batch) {
  std::vector<float> own(latents.begin(), latents.end());
  impl_->model.from_denoiser(own);
  return impl_->code(impl_->coder(impl_->decoders, batch, &Model::decoder_graph), own, impl_->model.latent_shape(),
                     batch, nullptr);
}

graph::MemoryReport Pipeline::memory() const {
  graph::MemoryReport all;
  // Programs of one kind share their weights, so the largest holds them all; activations and scratch are each program's
  // own.
  std::size_t weights = 0;
  const auto add = [&](const Compiled& c) {
    const graph::MemoryReport m = c.program->memory();
    weights = std::max(weights, m.weight_bytes);
    all.activation_bytes += m.activation_bytes;
    all.scratch_bytes += m.scratch_bytes;
  };
  const auto close = [&] { all.weight_bytes += std::exchange(weights, 0); };
  for (const auto& [key, c] : impl_->text) add(c);
  close();
  for (const auto& [key, d] : impl_->denoisers) {
    if (d.once) add(*d.once);
  }
  close();
  for (const auto& [key, d] : impl_->denoisers) add(d.rest);
  close();
  for (const auto& [key, c] : impl_->encoders) add(c);
  close();
  for (const auto& [key, c] : impl_->decoders) add(c);
  close();
  return all;
}

}  // namespace thimble::diffusion
