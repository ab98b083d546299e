// Copying nodes of one graph into another under construction; shared by the passes of this folder.
#pragma once

#include <functional>
#include <vector>

#include "graph/builder.h"

namespace thimble::passes {

// The values of `from` that have a counterpart in the graph of `builder`. Parameters are made when first asked for.
class Rebuild {
 public:
  Rebuild(const graph::Graph& from, graph::Builder& builder)
      : from_(from), builder_(builder), made_(from.values.size()) {}

  bool has(graph::ValueId v) const { return made_[static_cast<std::size_t>(v)].builder != nullptr; }
  void set(graph::ValueId v, graph::Var var) { made_[static_cast<std::size_t>(v)] = var; }
  graph::Var get(graph::ValueId v);    // a parameter, or what was set or copied before
  void copy(const graph::Node& node);  // its inputs must be there
  void input(graph::ValueId v);        // an input of the same name and type

 private:
  const graph::Graph& from_;
  graph::Builder& builder_;
  std::vector<graph::Var> made_;
};

// Marks the nodes that `wanted` values depend on, not looking beyond values for which `stop` is true.
std::vector<bool> needed_nodes(const graph::Graph& graph, const std::vector<graph::ValueId>& wanted,
                               const std::function<bool(graph::ValueId)>& stop);

}  // namespace thimble::passes
