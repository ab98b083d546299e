#include "api/export_onnx.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "api/engine.h"
#include "api/random_weights.h"
#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "diffusion/published/published_model.h"
#include "formats/safetensors/safetensors.h"
#include "models/bind.h"
#include "models/catalogue.h"
#include "models/classes.h"
#include "passes/quantize.h"
#include "runtime/device.h"

namespace thimble::api {
namespace {

using models::Role;

constexpr std::size_t kKept = std::size_t{256} << 20;  // bytes of a mapped file that may stay in memory

struct Part {
  std::string name, licence;
  graph::Graph graph;
  graph::Weights weights;
  std::function<void()> release = {};  // lets mapped pages go
};

graph::Graph quantised(graph::Graph g, graph::Weights& weights, const InspectOptions& options) {
  if (!options.quantize) return g;
  const auto layers = passes::chosen(passes::choose_layers(g, *options.quantize));
  if (weights.size() != 0) weights = passes::derive_weights(weights, layers);
  return passes::quantize(g, layers);
}

// An autoencoder is two networks: "vae-decoder" and "vae-encoder".
std::string name_of(const std::string& part, Role role) {
  const bool half = role == Role::decoder || role == Role::encoder;
  return half ? fmt::format("{}-{}", part, models::to_string(role)) : part;
}

std::vector<Part> catalogue_parts(const models::CatalogueModel& model, const ExportOptions& o) {
  const int pixels = o.inspect.size > 0 ? o.inspect.size : model.sizes.front();
  std::vector<Part> parts;
  for (const models::CataloguePart& p : model.parts) {
    for (const Role role : p.roles) {
      const int guided = role == Role::denoiser ? model.guided_batch : 1;
      Part part{name_of(p.name, role),
                model.licence,
                models::build_catalogue_part(model, p, role, pixels, o.inspect.batch > 0 ? o.inspect.batch : guided),
                {}};
      part.graph = quantised(std::move(part.graph), part.weights, o.inspect);
      parts.push_back(std::move(part));
    }
  }
  return parts;
}

std::vector<Part> published_parts(const std::string& path, const ExportOptions& o) {
  const auto model = diffusion::PublishedModel::open(path, {.variant = o.variant});
  const diffusion::PublishedFacts& facts = model.facts();
  const int pixels = o.inspect.size > 0 ? o.inspect.size : facts.native_side;
  const int step = facts.size_step * facts.compression;
  if (pixels < step || pixels % step != 0) {
    fail(ErrorKind::bad_input, "a size of {} pixels cannot be taken; a multiple of {} was wanted", pixels, step);
  }
  const int cells = pixels / facts.compression;
  const int rows = facts.guidance_kind == diffusion::GuidanceKind::classifier_free  ? 2
                   : facts.guidance_kind == diffusion::GuidanceKind::two_conditions ? 3
                                                                                    : 1;
  const auto batch = [&](int usual) { return o.inspect.batch > 0 ? o.inspect.batch : usual; };
  std::vector<Part> parts;
  const auto add = [&](const std::string& name, Role role, const models::BuildSize& size) {
    const formats::DiffusersPart& part = model.part(name);
    Part out{name_of(name, role),
             "",
             models::build_network(part.class_name, role, model.adapters().config(part), size),
             {},
             [part] { part.release_pages(); }};
    out.weights = models::bind_checkpoint(out.graph, model.weights_of(part).stored, name);
    out.graph = quantised(std::move(out.graph), out.weights, o.inspect);
    parts.push_back(std::move(out));
  };
  for (const diffusion::TextSource& s : facts.text.sources) {
    if (s.absent || std::ranges::any_of(parts, [&](const Part& p) { return p.name == s.part; })) continue;
    constexpr int kClip = 77;
    const int tokens = o.inspect.tokens > 0 ? o.inspect.tokens : s.tokens > 0 ? s.tokens : kClip;
    add(s.part, Role::text, {.batch = batch(1), .tokens = tokens});
  }
  add(facts.denoiser, Role::denoiser,
      {.batch = batch(rows), .height = cells, .width = cells, .tokens = facts.text.tokens()});
  add(facts.autoencoder, Role::decoder, {.batch = batch(1), .height = cells, .width = cells});
  add(facts.autoencoder, Role::encoder, {.batch = batch(1), .height = pixels, .width = pixels});
  return parts;
}

std::vector<Part> own_parts(const std::filesystem::path& path, const ExportOptions& o) {
  const Inspected file = inspect(path, o.inspect);
  std::vector<Part> parts;
  for (const InspectedGraph& g : file.graphs) {
    parts.push_back({g.name, file.licence, g.graph, file.has_weights ? file.weights[g.weights] : graph::Weights()});
  }
  return parts;
}

// The part of that name, the halves of an autoencoder of that name, or all but tiny autoencoders.
std::vector<Part> select(std::vector<Part> parts, const std::string& wanted) {
  std::vector<std::string> names;
  for (const Part& p : parts) names.push_back(p.name);
  std::erase_if(parts, [&](const Part& p) {
    return wanted.empty() ? p.name.starts_with("tiny-") : p.name != wanted && !p.name.starts_with(wanted + "-");
  });
  // "text" is a part of its own beside "text-2".
  if (std::ranges::any_of(parts, [&](const Part& p) { return p.name == wanted; })) {
    std::erase_if(parts, [&](const Part& p) { return p.name != wanted; });
  }
  if (parts.empty()) {
    fail(ErrorKind::bad_input, "there is no part '{}'; there are {}", wanted, fmt::join(names, ", "));
  }
  return parts;
}

formats::OnnxWeights source_of(const Part& part) {
  return [get = formats::onnx_weights(part.weights), release = part.release,
          read = std::size_t{0}](const std::string& name) mutable {
    graph::Tensor t = get(name);
    read += t.type().bytes();
    if (read > kKept && release) {
      release();  // the pages of `t` come back when they are read
      read = 0;
    }
    return t;
  };
}

// Normal values; masks that hide nothing; token ids that every vocabulary has; a time within every schedule.
std::vector<graph::Tensor> sample_inputs(const graph::Graph& g) {
  constexpr std::int32_t kLeastVocabulary = 100;
  std::vector<graph::Tensor> inputs;
  for (const graph::ValueId id : g.inputs) {
    graph::Tensor t(g.type(id));
    const std::string& name = g.value(id).name;
    if (t.type().dtype == DType::f32) {
      fill_normal(t.mutable_as<float>(), 1, inputs.size() + 1);
      if (name.find("mask") != std::string::npos) std::ranges::fill(t.mutable_as<float>(), 0.0F);
      if (name == "keep") std::ranges::fill(t.mutable_as<float>(), 1.0F);
      if (name == "timestep") std::ranges::fill(t.mutable_as<float>(), 0.5F);
    } else if (t.type().dtype == DType::i32) {
      std::int32_t next = 0;
      for (std::int32_t& v : t.mutable_as<std::int32_t>()) v = next++ * 7 % kLeastVocabulary;
    }
    inputs.push_back(std::move(t));
  }
  return inputs;
}

void write_run(const Part& part, const std::filesystem::path& path, const CancelToken* cancel) {
  const auto inputs = sample_inputs(part.graph);
  const auto program = runtime::make_device_executor({})->compile(part.graph, part.weights, {});
  if (cancel != nullptr) cancel->throw_if_cancelled();
  const auto outputs = (*program)(inputs);
  std::vector<formats::TensorSpec> specs;
  std::map<std::string, const graph::Tensor*> tensors;
  const auto add = [&](const std::string& name, const graph::Tensor& t) {
    specs.push_back({name, t.type().dtype, t.shape()});
    tensors[name] = &t;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i)
    add("input/" + part.graph.value(part.graph.inputs[i]).name, inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) add("output/" + part.graph.outputs[i].name, outputs[i]);
  formats::SafetensorsWriter out(path, specs, {{"part", part.name}});
  for (const formats::TensorSpec& s : out.order()) out.write(s.name, {tensors.at(s.name)->data(), s.bytes()});
  out.commit();
}

}  // namespace

std::vector<Exported> export_onnx(const std::string& model, bool published, const std::filesystem::path& path,
                                  const ExportOptions& options, const ProgressFn& progress, const CancelToken* cancel) {
  check_writable(path);
  const std::string name = model.substr(0, model.find('/'));
  const models::CatalogueModel* known =
      published || std::filesystem::exists(model) ? nullptr : models::find_in_catalogue(name);
  std::vector<Part> parts;
  if (published) {
    parts = published_parts(model, options);
  } else if (known != nullptr) {
    if (!options.random_weights) {
      fail(ErrorKind::bad_input,
           "'{}' is a name without weights: give the directory of the model, or --random-weights to have its shapes",
           name);
    }
    parts = catalogue_parts(*known, options);
  } else {
    parts = own_parts(find_model(model), options);
  }
  const bool named = known != nullptr && model.size() > name.size() && options.part.empty();
  parts = select(std::move(parts), named ? model.substr(name.size() + 1) : options.part);

  std::vector<Exported> done;
  for (Part& part : parts) {
    RandomWeights random(DType::bf16);
    if (options.random_weights && part.weights.size() == 0) part.weights = random.draw(part.graph);
    if (part.weights.size() == 0 && !part.graph.parameters.empty()) {
      fail(ErrorKind::bad_input, "'{}' has no weights; --random-weights draws some", model);
    }
    std::filesystem::path file = path;
    if (parts.size() > 1) {
      file = path.parent_path() / fmt::format("{}-{}{}", path.stem().string(), part.name, path.extension().string());
    }
    formats::OnnxOptions onnx = options.onnx;
    onnx.metadata["model"] = model;
    onnx.metadata["part"] = part.name;
    if (!part.licence.empty()) onnx.metadata["licence"] = part.licence;
    Exported e{part.name, {}, {}};
    with_context(fmt::format("in {}", part.name), [&] {
      e.written = formats::write_onnx(part.graph, source_of(part), file, onnx, progress, cancel);
      if (options.with_run) {
        e.run = file;
        e.run.replace_extension(".safetensors");
        write_run(part, e.run, cancel);
      }
    });
    done.push_back(std::move(e));
    part = {};  // the next one may be as large
  }
  return done;
}

}  // namespace thimble::api
