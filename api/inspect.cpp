#include "api/inspect.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "diffusion/model.h"
#include "graph/text.h"
#include "models/catalogue.h"

namespace thimble::api {
namespace {

using diffusion::build_graph;

constexpr std::size_t kMaxTextFile = 64 << 20;

// The first bytes tell a graph's text and JSON from a safetensors file, whose first eight bytes are a length.
enum class FileKind { safetensors, json, graph };
FileKind kind_of(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 4096));
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (text.starts_with("graph")) return FileKind::graph;
  const bool json = text.starts_with("{") && (bytes.size() < 9 || bytes[8] != std::byte{'{'});
  return json ? FileKind::json : FileKind::safetensors;
}

// The graph as the options want it; layers that became integers are added to `layers`.
graph::Graph as_wanted(graph::Graph g, const InspectOptions& options,
                       std::vector<passes::QuantizedLayer>* layers = {}) {
  if (!options.quantize) return g;
  const auto chosen = passes::chosen(passes::choose_layers(g, *options.quantize));
  for (const passes::QuantizedLayer& l : chosen) {
    if (layers && std::ranges::find(*layers, l.weight, &passes::QuantizedLayer::weight) == layers->end()) {
      layers->push_back(l);
    }
  }
  return passes::quantize(g, chosen);
}

// Adds the graphs of a text-to-picture model in the order in which they run.
struct ModelGraphs {
  Inspected& out;
  const InspectOptions& options;
  std::vector<passes::QuantizedLayer> layers[3] = {};  // by store

  graph::Graph build(const Json& parts, const char* part, std::string_view role, std::size_t store, int batch,
                     int size) {
    return as_wanted(build_graph(get_object(get_object(parts, part, "parts"), "config", part),
                                 parts[part].value("passes", Json::array()), role, batch, size),
                     options, &layers[store]);
  }

  void add(std::string name, std::string when, std::size_t weights, graph::Graph g) {
    out.graphs.push_back({std::move(name), std::move(when), weights, std::move(g)});
  }

  void add_all(const Json& parts, const diffusion::Facts& facts) {
    const int tokens = options.tokens > 0 ? options.tokens : facts.text_buckets.front();
    const int size = options.size > 0 ? options.size : facts.image_size;
    const int guided = options.batch > 0 ? options.batch : facts.guidance != 1 ? 2 : 1;
    const int plain = options.batch > 0 ? options.batch : 1;

    add("text", "once per prompt", 0, build(parts, diffusion::kTextPart, "text", 0, guided, tokens));
    passes::Split split =
        diffusion::split_denoiser(build(parts, diffusion::kDenoiserPart, "denoiser", 1, guided, tokens));
    if (!split.once.outputs.empty()) add("prompt", "once per prompt", 1, std::move(split.once));
    add("step", "every step", 1, std::move(split.rest));
    add("decoder", "once per picture", 2, build(parts, diffusion::kAutoencoderPart, "decoder", 2, plain, size));
    add("encoder", "not for text to picture", 2, build(parts, diffusion::kAutoencoderPart, "encoder", 2, plain, size));
  }
};

// Returns the layers that became integers, by store.
ModelGraphs inspect_header(Inspected& out, const Json& header, const InspectOptions& options) {
  out.name = header.value("name", "");
  out.licence = header.value("licence", "");
  out.description = header.value("description", "");
  out.pipeline = get_object(header, "pipeline", "header");
  ModelGraphs graphs{out, options};
  graphs.add_all(get_object(header, "parts", "header"), diffusion::facts_from_json(out.pipeline, "header: pipeline"));
  return graphs;
}

void inspect_config(Inspected& out, const Json& config, const InspectOptions& options) {
  out.kind = "config";
  const std::string type = get_string(config, "type", "config");
  out.name = type;
  const int batch = options.batch > 0 ? options.batch : 1;
  for (const diffusion::GraphKind& kind : diffusion::graph_kinds()) {
    if (kind.type != type) continue;
    const bool text = kind.role == "text" || kind.role == "denoiser";
    const int size = text ? (options.tokens > 0 ? options.tokens : 16) : (options.size > 0 ? options.size : 256);
    out.graphs.push_back({std::string(kind.role), "", 0, as_wanted(kind.build(config, batch, size), options)});
  }
  if (out.graphs.empty()) fail(ErrorKind::unsupported, "no network can be built from a config of type '{}'", type);
}

}  // namespace

std::vector<const InspectedGraph*> Inspected::select(const std::string& part) const {
  std::vector<const InspectedGraph*> chosen;
  std::vector<std::string> names;
  for (const InspectedGraph& g : graphs) {
    if (part.empty() || g.name == part) chosen.push_back(&g);
    names.push_back(g.name);
  }
  if (chosen.empty()) fail(ErrorKind::bad_input, "there is no part '{}'; there are {}", part, fmt::join(names, ", "));
  return chosen;
}

namespace {

void check_options(const InspectOptions& options) {
  if (options.batch < 0 || options.batch > 4096 || options.tokens < 0 || options.size < 0 || options.size > 1 << 14) {
    fail(ErrorKind::bad_input, "batch, tokens and size must be positive and not absurd");
  }
}

}  // namespace

std::optional<Inspected> inspect_published(std::string_view name, const InspectOptions& options) {
  const auto slash = name.find('/');
  const models::CatalogueModel* model = models::find_in_catalogue(name.substr(0, slash));
  if (model == nullptr) return std::nullopt;
  check_options(options);
  const std::string wanted(slash == std::string_view::npos ? "denoiser" : name.substr(slash + 1));
  Inspected out;
  out.kind = "published";
  out.name = name;
  out.description = model->title;
  out.licence = model->licence;
  const std::vector<int> sizes = options.size > 0 ? std::vector{options.size} : std::vector{512, 1024};
  std::vector<std::string> known;
  for (const models::CataloguePart& part : model->parts) {
    known.push_back(part.name);
    if (part.name != wanted) continue;
    for (const models::Role role : part.roles) {
      for (const int size : sizes) {
        if (role == models::Role::text && size != sizes.front()) continue;  // prompts know no picture
        const bool step = role == models::Role::denoiser;
        const int batch = options.batch > 0 ? options.batch : step ? model->guided_batch : 1;
        const std::string label(models::to_string(role));
        out.graphs.push_back({role == models::Role::text ? label : fmt::format("{} {}", label, size),
                              step ? fmt::format("every step, {} rows", batch) : "", 0,
                              as_wanted(models::build_catalogue_part(*model, part, role, size, batch), options)});
      }
    }
  }
  if (out.graphs.empty()) {
    fail(ErrorKind::bad_input, "{} has no part '{}'; it has {}", model->name, wanted, fmt::join(known, ", "));
  }
  out.weights.resize(1);
  return out;
}

Inspected inspect(const std::filesystem::path& path, const InspectOptions& options) {
  check_options(options);
  Inspected out;
  const auto mapped = MappedFile::open(path);
  out.file_bytes = mapped->bytes().size();
  const FileKind kind = kind_of(mapped->bytes());
  if (kind == FileKind::safetensors) {
    const formats::ModelFile file = formats::ModelFile::open(path);
    const diffusion::Model model = diffusion::Model::from_file(file);  // refuses parts that do not fit
    out.kind = "model";
    const ModelGraphs graphs = inspect_header(out, file.header, options);
    const graph::Weights* stores[] = {&model.text().weights, &model.denoiser().weights, &model.autoencoder().weights};
    for (std::size_t i = 0; i < std::size(stores); ++i) {
      out.weights.push_back(graphs.layers[i].empty() ? *stores[i]
                                                     : passes::derive_weights(*stores[i], graphs.layers[i]));
    }
    out.has_weights = true;
    return out;
  }
  const std::string text = read_file(path, kMaxTextFile);
  return with_context(fmt::format("while reading {}", path.string()), [&] {
    if (kind == FileKind::graph) {
      out.kind = "graph";
      out.graphs.push_back({"graph", "", 0, as_wanted(graph::parse_graph(text), options)});
      out.name = out.graphs.front().graph.name;
    } else if (const Json json = parse_json(text, "config"); json.contains("parts")) {
      out.kind = "config";
      inspect_header(out, json, options);
    } else {
      inspect_config(out, json, options);
    }
    out.weights.resize(3);
    return std::move(out);
  });
}

void draw_weights(Inspected& inspected, std::uint64_t seed) {
  for (std::size_t i = 0; i < inspected.graphs.size(); ++i) {
    const InspectedGraph& g = inspected.graphs[i];
    const graph::Weights drawn = graph::initialise(g.graph, seed + i);
    for (const std::string& name : drawn.names()) inspected.weights[g.weights].set(name, drawn.at(name));
  }
  inspected.has_weights = true;
}

}  // namespace thimble::api
