// What a file or a name of the catalogue holds, graph by graph, for `thimble show` and `thimble bench`: a Thimble
// model, its header or one config as JSON, a graph as text, or a published model of the true size without its weights
// ("sd1.5", "sana-0.6b/vae"). Costs and plans are asked of graph/cost.h and runtime/device.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "graph/weights.h"
#include "passes/quantize.h"

namespace thimble::api {

struct InspectOptions {
  int batch = 0;   // rows; 0: as `generate` runs a part for one picture
  int tokens = 0;  // text length; 0: the model's smallest bucket, 16 for a bare config; not for published models
  int size = 0;    // pixels per side; 0: the model's, 256 for a bare config; published models: 512 and 1024
  // Every network as passes/quantize.h would make it, and weights that are there rounded so.
  std::optional<passes::QuantizeOptions> quantize = {};
};

struct InspectedGraph {
  std::string name;     // "text", "prompt", "step", "decoder", "encoder", or a config's role
  std::string when;     // when `generate` runs it: "once per prompt", "every step"; may be empty
  std::size_t weights;  // index in Inspected::weights
  graph::Graph graph;
};

struct Inspected {
  std::string kind;  // "model", "config", "graph", "published"
  std::string name, licence, description;
  Json pipeline;  // null unless a model's
  std::size_t file_bytes = 0;
  std::vector<InspectedGraph> graphs;
  // Empty stores where the file has none: see draw_weights().
  std::vector<graph::Weights> weights;
  bool has_weights = false;

  // The graphs whose name is `part`, all when it is empty; bad_input naming the parts there are when none is.
  std::vector<const InspectedGraph*> select(const std::string& part) const;
};

Inspected inspect(const std::filesystem::path& path, const InspectOptions& options = {});

// A published model, or "name/part" for one of its parts ("vae", "text", "text-2"); the denoiser when no part is named.
// Empty when the catalogue has no such model; bad_input, naming the parts, when it has no such part.
std::optional<Inspected> inspect_published(std::string_view name, const InspectOptions& options = {});

// Gives every graph random weights, so that a config can be timed before it is trained.
void draw_weights(Inspected& inspected, std::uint64_t seed = 1);

}  // namespace thimble::api
