#include "api/quantize.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "api/recorder.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/thimble/model_file.h"
#include "passes/rebuild.h"

namespace thimble::api {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Node;
using graph::Tensor;
using graph::ValueId;
using graph::Var;
using graph::Weights;
using passes::QuantizedLayer;

// ---- sums behind Nearness

struct Sums {
  double both = 0, got = 0, wanted = 0, off = 0;
  void add(std::span<const float> a, std::span<const float> b) {  // got, wanted
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double x = a[i], y = b[i];
      both += x * y;
      got += x * x;
      wanted += y * y;
      off += (x - y) * (x - y);
    }
  }
  Nearness nearness() const {
    if (wanted == 0) return {got == 0 ? 1.0 : 0.0, got == 0 ? 0.0 : 1.0};
    return {got == 0 ? 0 : both / std::sqrt(got * wanted), std::sqrt(off / wanted)};
  }
};

// ---- graphs with probes

// The layer of `layers` that a node is, before or after quantising; -1.
int layer_at(const Graph& g, const Node& node, std::span<const QuantizedLayer> layers) {
  if (node.inputs.size() < 2 || g.value(node.inputs[1]).kind != graph::ValueKind::parameter) return -1;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (g.value(node.inputs[1]).name == layers[i].weight) return static_cast<int>(i);
  }
  return -1;
}

enum class Probe { moments, outputs, both };

struct Probed {
  Graph graph;
  std::vector<int> layers;  // of each output, or pair of outputs
};

// The graph with other outputs: per layer the mean squares of its inputs; or its outputs; or those, and beside them the
// outputs of its quantised form on the same inputs (parameters "~w", "~w.scale").
Probed with_probes(const Graph& g, std::span<const QuantizedLayer> layers, Probe probe) {
  Probed out;
  Builder b(g.name + ".probed");
  passes::Rebuild copy(g, b);
  for (ValueId v : g.inputs) copy.input(v);
  for (const Node& node : g.nodes) {
    copy.copy(node);
    const int i = layer_at(g, node, layers);
    if (i < 0) continue;
    const QuantizedLayer& layer = layers[static_cast<std::size_t>(i)];
    const std::string name = fmt::format("{}", out.layers.size());
    out.layers.push_back(i);
    const Var x = copy.get(node.inputs[0]), y = copy.get(node.output);
    if (probe == Probe::moments) {
      const std::int64_t inputs = x.dim(-1);
      b.output(name, b.mean(b.unary(graph::UnaryKind::square, b.reshape(x, {-1, inputs})), {0}, false));
      continue;
    }
    b.output(name, y);
    if (probe == Probe::outputs) continue;
    const passes::QuantizedForm form = passes::quantized_form(g, node, layer.format);
    std::vector<Var> in{x, b.param("~" + layer.weight, form.numbers.shape, {}, form.numbers.dtype),
                        b.param("~" + layer.weight + ".scale", form.scale, {})};
    if (node.inputs.size() > 2) in.push_back(copy.get(node.inputs[2]));
    b.output("~" + name, b.add(form.op, in));
  }
  if (!out.layers.empty()) out.graph = b.finish();
  return out;
}

// ---- one part of the model

struct PartWork {
  std::string name;
  std::vector<passes::LayerChoice> choices;
  std::vector<QuantizedLayer> layers;
  Weights before, after;
};

PartWork choose(std::string name, std::vector<Graph> graphs, const passes::QuantizeOptions& options) {
  PartWork work;
  work.name = std::move(name);
  std::set<std::string> known;
  for (const Graph& g : graphs) {
    for (passes::LayerChoice& c : passes::choose_layers(g, options)) {
      if (known.insert(c.weight).second) work.choices.push_back(std::move(c));
    }
  }
  work.layers = passes::chosen(work.choices);
  return work;
}

// Runs the graph on each of the recorded inputs; `take` gets the outputs.
template <class Take>
void on_recorded(graph::Executor& device, const Graph& g, const Weights& weights, const Recording& recording,
                 const CancelToken* cancel, Take take) {
  const auto program = device.compile(g, weights, {});
  for (const std::vector<Tensor>& inputs : recording.runs) {
    if (cancel) cancel->throw_if_cancelled();
    take((*program)(inputs));
  }
}

void add_importance(passes::Importance& importance, const PartWork& work, const Recording& recording,
                    graph::Executor& device, const CancelToken* cancel) {
  const Probed probed = with_probes(recording.graph, work.layers, Probe::moments);
  if (probed.layers.empty()) return;
  std::vector<std::vector<float>> sums(probed.layers.size());
  on_recorded(device, probed.graph, work.before, recording, cancel, [&](const std::vector<Tensor>& outputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto values = outputs[i].as<float>();
      sums[i].resize(values.size(), 0.0f);
      for (std::size_t k = 0; k < values.size(); ++k) sums[i][k] += values[k];
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::string& weight = work.layers[static_cast<std::size_t>(probed.layers[i])].weight;
    // A trace of the plain error, so that inputs that were silent in these runs do not become free.
    double mean = 0;
    for (const float v : sums[i]) mean += v;
    mean /= static_cast<double>(std::max<std::size_t>(1, sums[i].size()));
    for (float& v : sums[i]) v += static_cast<float>(0.01 * mean) + 1e-12f;
    importance[weight] = std::make_shared<const std::vector<float>>(std::move(sums[i]));
  }
}

struct LayerSums {
  Sums alone, in_sequence;
  bool seen = false;
};

void judge_layers(std::vector<LayerSums>& sums, const PartWork& work, const Recording& recording,
                  graph::Executor& device, const CancelToken* cancel) {
  const Probed both = with_probes(recording.graph, work.layers, Probe::both);
  if (both.layers.empty()) return;
  Weights paired;
  for (const std::string& name : work.before.names()) paired.set(name, work.before.at(name));
  for (const QuantizedLayer& l : work.layers) {
    for (const std::string& name : {l.weight, l.weight + ".scale"}) paired.set("~" + name, work.after.at(name));
  }
  std::vector<std::vector<Tensor>> wanted;
  on_recorded(device, both.graph, paired, recording, cancel, [&](std::vector<Tensor> outputs) {
    wanted.emplace_back();
    for (std::size_t i = 0; i < both.layers.size(); ++i) {
      LayerSums& s = sums[static_cast<std::size_t>(both.layers[i])];
      s.alone.add(outputs[2 * i + 1].as<float>(), outputs[2 * i].as<float>());
      s.seen = true;
      wanted.back().push_back(std::move(outputs[2 * i]));
    }
  });
  const Probed sequence = with_probes(passes::quantize(recording.graph, work.layers), work.layers, Probe::outputs);
  std::size_t run = 0;
  on_recorded(device, sequence.graph, work.after, recording, cancel, [&](const std::vector<Tensor>& outputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      sums[static_cast<std::size_t>(sequence.layers[i])].in_sequence.add(outputs[i].as<float>(),
                                                                         wanted[run][i].as<float>());
    }
    ++run;
  });
}

// ---- files and whole runs

void write_model(const Json& header, std::span<const PartWork> parts, const formats::ModelFile* original, bool after,
                 const std::filesystem::path& path) {
  Json with_passes = header;
  for (const PartWork& p : parts) {
    if (!after || p.layers.empty()) continue;
    Json& list = with_passes["parts"][p.name]["passes"];
    if (!list.is_array()) list = Json::array();
    list.push_back({{"name", "quantize"}, {"options", passes::to_json(p.layers)}});
  }
  formats::ModelWriter writer(with_passes);
  for (const PartWork& p : parts) {
    const Weights& weights = after ? p.after : p.before;
    for (const std::string& name : weights.names()) {
      const Tensor t = weights.at(name);
      // What was not touched keeps the type that it had in the file.
      DType stored = t.type().dtype;
      if (original != nullptr && is_float(stored)) {
        const auto tensors = original->tensors(p.name);
        if (const auto it = tensors.find(name); it != tensors.end()) stored = it->second.dtype();
      }
      writer.add(p.name, name, t.type().dtype, t.shape(), {t.data(), t.type().bytes()}, stored);
    }
  }
  writer.write(path);
}

// Of what is seen: colours weighed by their alpha, so that those of transparent pixels do not count.
double psnr(const std::vector<media::Image>& a, const std::vector<media::Image>& b) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto &x = a[i].pixels, &y = b[i].pixels;
    const auto channels = static_cast<std::size_t>(a[i].channels);
    const auto seen = [&](const std::vector<std::uint8_t>& p, std::size_t k) {
      const bool colour = channels == 4 && k % 4 != 3;
      return colour ? p[k] * p[k / 4 * 4 + 3] / 255.0 : static_cast<double>(p[k]);
    };
    for (std::size_t k = 0; k < x.size(); ++k) sum += std::pow(seen(x, k) - seen(y, k), 2);
    count += static_cast<double>(x.size());
  }
  return sum == 0 ? 99 : 10 * std::log10(255.0 * 255.0 * count / sum);
}

// A file that is gone when the work is done.
struct TemporaryFile {
  std::filesystem::path path;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

struct Runner {
  graph::Executor& device;
  const QuantizeModelOptions& options;
  const ProgressFn& progress;
  const CancelToken* cancel;

  // Draws the prompts' pictures in f32. The recordings stay in `recorder`.
  std::vector<media::Image> run(const diffusion::Model& model, Recorder& recorder) const {
    diffusion::Pipeline pipeline(model, recorder, {});
    std::vector<diffusion::Request> requests;
    for (const std::string& prompt : options.prompts) requests.push_back({prompt, options.seed + requests.size()});
    diffusion::GenerateOptions generate;
    if (options.steps > 0) generate.steps = options.steps;
    return pipeline.generate(requests, generate, progress, cancel).images;
  }
};

// The latents of the last picture: what the decoder was given.
std::vector<float> last_latent(const Recorder& recorder, std::uint64_t weights) {
  for (const auto& r : recorder.recordings()) {
    if (r->weights != weights || r->last.empty()) continue;
    const auto values = r->last.front().as<float>();
    return {values.begin(), values.end()};
  }
  return {};
}

void check_options(const QuantizeModelOptions& o) {
  passes::check_options(o.format);
  if (o.output.empty()) fail(ErrorKind::bad_input, "a file to write is wanted: --output FILE");
  if (o.prompts.empty()) fail(ErrorKind::bad_input, "at least one prompt is wanted, to calibrate and judge with");
  if (!(o.outlier_share >= 0 && o.outlier_share <= 1)) {
    fail(ErrorKind::bad_input, "outliers are a share of the channels between 0 and 1, {} came", o.outlier_share);
  }
}

}  // namespace

QuantizeReport quantize_model(const QuantizeModelOptions& options, const ProgressFn& progress,
                              const CancelToken* cancel) {
  check_options(options);
  const std::filesystem::path source = find_model(options.engine.model);
  check_writable(options.output);
  auto model = std::make_unique<diffusion::Model>(diffusion::Model::open(source));
  const formats::ModelFile original = formats::ModelFile::open(source);
  for (const std::string& part : original.parts()) {
    if (!original.passes(part).empty()) {
      fail(ErrorKind::bad_input, "{}: the {} was rewritten before; quantise the original", source.string(), part);
    }
  }

  const int tokens = model->facts().text_buckets.back();
  std::vector<PartWork> parts;
  parts.push_back(choose(diffusion::kTextPart, {model->text_graph(1, tokens)}, options.format));
  parts.push_back(choose(diffusion::kDenoiserPart, {model->denoiser_graph(1, tokens)}, options.format));
  parts.push_back(
      choose(diffusion::kAutoencoderPart, {model->decoder_graph(1), model->encoder_graph(1)}, options.format));
  const auto weights_of = [](const diffusion::Model& m, std::size_t part) -> const Weights& {
    return (part == 0 ? m.text() : part == 1 ? m.denoiser() : m.autoencoder()).weights;
  };

  TemporaryFile hurt{options.output.string() + ".outliers"};
  if (options.outlier_share > 0) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      parts[i].before = passes::with_outliers(weights_of(*model, i), parts[i].layers, options.outlier_share,
                                              options.outlier_factor, options.seed);
    }
    write_model(original.header, parts, nullptr, false, hurt.path);
    model = std::make_unique<diffusion::Model>(diffusion::Model::open(hurt.path));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].before = weights_of(*model, i);

  // Runs of the original: calibration, and what the result is judged by.
  constexpr int kKeptRuns = 4, kStride = 7;
  runtime::DeviceOptions device_choice = device_options(options.engine);
  const auto device = runtime::make_device_executor(device_choice);
  const Runner runner{*device, options, progress, cancel};
  Recorder wanted(*device, kKeptRuns, kStride);
  const std::vector<media::Image> wanted_images = runner.run(*model, wanted);
  const auto each_recording = [&](auto&& use) {
    for (const auto& r : wanted.recordings()) {
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (weights_of(*model, i).id() == r->weights && !parts[i].layers.empty()) use(parts[i], i, *r);
      }
    }
  };

  std::vector<passes::ScaleSearch> search(parts.size());
  if (options.search) {
    each_recording([&](const PartWork& work, std::size_t i, const Recording& r) {
      add_importance(search[i].importance, work, r, *device, cancel);
    });
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    search[i].search = options.search;
    parts[i].after = passes::derive_weights(parts[i].before, parts[i].layers, search[i]);
  }
  write_model(original.header, parts, &original, true, options.output);

  QuantizeReport report;
  std::vector<std::vector<LayerSums>> sums(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) sums[i].resize(parts[i].layers.size());
  each_recording([&](const PartWork& work, std::size_t i, const Recording& r) {
    judge_layers(sums[i], work, r, *device, cancel);
  });
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::size_t next = 0;
    for (const passes::LayerChoice& c : parts[i].choices) {
      if (!c.format) {
        report.kept.push_back({parts[i].name, c.weight, c.reason});
        continue;
      }
      const LayerSums& s = sums[i][next];
      const QuantizedLayer& layer = parts[i].layers[next++];
      Sums weight;
      const Tensor before = parts[i].before.at(layer.weight).to(DType::f32);
      weight.add(passes::dequantized(parts[i].after, layer).as<float>(), before.as<float>());
      report.layers.push_back(
          {parts[i].name, layer, c.reason, weight.nearness(), s.alone.nearness(), s.in_sequence.nearness(), s.seen});
    }
  }

  const diffusion::Model small = diffusion::Model::open(options.output);
  Recorder got(*device, 0, 1);
  report.picture_psnr = psnr(runner.run(small, got), wanted_images);
  Sums latent;
  latent.add(last_latent(got, small.autoencoder().weights.id()),
             last_latent(wanted, model->autoencoder().weights.id()));
  report.latent = latent.nearness();
  report.bytes_before = static_cast<std::size_t>(std::filesystem::file_size(source));
  report.bytes_after = static_cast<std::size_t>(std::filesystem::file_size(options.output));
  return report;
}

Json to_json(const QuantizeReport& r) {
  const auto near = [](const Nearness& n) { return Json{{"cosine", n.cosine}, {"relative_error", n.error}}; };
  Json layers = Json::array(), kept = Json::array();
  for (const QuantizedLayerReport& l : r.layers) {
    layers.push_back({{"part", l.part},
                      {"weight", l.layer.weight},
                      {"bits", l.layer.format.bits},
                      {"group", l.layer.format.group},
                      {"activations", l.layer.format.activations},
                      {"asymmetric", l.layer.format.asymmetric},
                      {"reason", l.reason},
                      {"of_weight", near(l.weight)}});
    if (!l.seen) continue;
    layers.back()["alone"] = near(l.alone);
    layers.back()["in_sequence"] = near(l.in_sequence);
  }
  for (const KeptLayerReport& k : r.kept) {
    kept.push_back({{"part", k.part}, {"weight", k.weight}, {"reason", k.reason}});
  }
  return {{"layers", layers},
          {"kept", kept},
          {"latent", near(r.latent)},
          {"picture_psnr", r.picture_psnr},
          {"bytes_before", r.bytes_before},
          {"bytes_after", r.bytes_after}};
}

}  // namespace thimble::api
