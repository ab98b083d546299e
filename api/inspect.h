// What a file holds, graph by graph, for `thimble show` and `thimble bench`: a Thimble model, its header or one config
// as JSON, or a graph as text. Costs and plans are asked of graph/cost.h and runtime/device.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::api {

struct InspectOptions {
  int batch = 0;   // rows; 0: as `generate` runs a part for one picture
  int tokens = 0;  // text length; 0: the model's smallest bucket, 16 for a bare config
  int size = 0;    // pixels per side; 0: the model's, 256 for a bare config
};

struct InspectedGraph {
  std::string name;     // "text", "prompt", "step", "decoder", "encoder", or a config's role
  std::string when;     // when `generate` runs it: "once per prompt", "every step"; may be empty
  std::size_t weights;  // index in Inspected::weights
  graph::Graph graph;
};

struct Inspected {
  std::string kind;  // "model", "config", "graph"
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

// Gives every graph random weights, so that a config can be timed before it is trained.
void draw_weights(Inspected& inspected, std::uint64_t seed = 1);

}  // namespace thimble::api
