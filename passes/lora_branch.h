// LoRA beside a layer instead of inside its weight: y = W x + b becomes W x + b + U (D x), with new parameters D (rank,
// inputs ...) and U (outputs, rank ...). For quantised weights, which cannot take a small change without losing it; on
// float weights merging (diffusion/published/adapters.h) is cheaper to run.
// Preserves: the function with merged weights, but for the rounding of sums in another order, and on quantised layers
// the layer's own rounding, which the branch does not share.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::passes {

// Names of the branch's parameters for a layer's weight: "to_q.weight" -> "to_q.lora_down.weight".
std::string lora_down_name(std::string_view weight);
std::string lora_up_name(std::string_view weight);

// `ranks` by the weight's name. Linear layers, quantised ones and convolutions without groups; every use of a weight
// gets the branch. bad_input, naming it, for a weight that the graph does not have or that no such layer reads, and for
// a rank below 1.
graph::Graph add_lora_branches(const graph::Graph& graph, const std::map<std::string, std::int64_t>& ranks);

struct LowRank {
  graph::Tensor down, up;  // (rank, inputs ...), (outputs, rank ...)
  double factor = 1;
};
// Sets both parameters of one weight for all the changes together: ranks add up, factors go into U. f32. bad_input when
// they do not fit each other.
void set_lora_branch(graph::Weights& weights, std::string_view weight, std::span<const LowRank> changes);

}  // namespace thimble::passes
