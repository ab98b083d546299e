#include "diffusion/published/stage.h"

#include "base/error.h"
#include "models/bind.h"
#include "passes/split_invariant.h"

namespace thimble::diffusion {
namespace {

using formats::DiffusersPart;

// A part's graph as it is run, and what was done to it.
struct StageGraph {
  graph::Graph plain, graph;
  std::vector<passes::QuantizedLayer> layers;
  std::map<std::string, std::vector<passes::LowRank>> branches;
};

StageGraph graph_of(const PublishedModel& model, const PublishedPipelineOptions& options, const DiffusersPart& part,
                    models::Role role, const models::BuildSize& size) {
  StageGraph g;
  g.plain = models::build_network(part.class_name, role, model.adapters().config(part), size);
  if (!options.quantize || (role != models::Role::text && role != models::Role::denoiser)) {
    g.graph = g.plain;
    return g;
  }
  g.layers = passes::chosen(passes::choose_layers(g.plain, *options.quantize));
  g.graph = passes::quantize(g.plain, g.layers);
  std::map<std::string, std::int64_t> ranks;
  for (const passes::QuantizedLayer& l : g.layers) {
    auto changes = model.adapters().changes(part.name, l.weight);
    if (changes.empty()) continue;
    for (const passes::LowRank& c : changes) ranks[l.weight] += c.down.shape()[0];
    g.branches[l.weight] = std::move(changes);
  }
  if (!ranks.empty()) g.graph = passes::add_lora_branches(g.graph, ranks);
  return g;
}

}  // namespace

std::unique_ptr<Network> open_network(StageContext& stage, const DiffusersPart& part, models::Role role,
                                      const models::BuildSize& size, const std::set<std::string>& steady) {
  const StageGraph g = graph_of(stage.model, stage.options, part, role, size);
  std::set<std::string> apart;
  for (const auto& [weight, changes] : g.branches) apart.insert(weight);
  NetworkWeights weights = stage.model.weights_of(part, apart);
  if (!g.layers.empty()) {
    // Checked under the names and shapes of the file, before they become integers.
    const graph::Weights floats = models::bind_checkpoint(g.plain, weights.stored, part.name);
    for (const std::string& name : floats.names()) weights.read_bytes += floats.at(name).type().bytes();
    weights.stored = passes::derive_weights(floats, g.layers);
    for (const auto& [weight, changes] : g.branches) passes::set_lora_branch(weights.stored, weight, changes);
  }
  return std::make_unique<Network>(weights, g.graph, stage.executor, stage.options.precision, steady);
}

std::optional<graph::MemoryReport> plan_network(const PublishedModel& model, const PublishedPipelineOptions& options,
                                                const DiffusersPart& part, models::Role role,
                                                const models::BuildSize& size, const std::set<std::string>& steady) {
  if (!options.plan) return {};
  const graph::Graph g = graph_of(model, options, part, role, size).graph;
  std::set<std::string> there;
  for (const std::string& name : steady) {
    if (g.find_input(name)) there.insert(name);
  }
  if (there.empty()) return options.plan(g);
  const passes::Split split = passes::split_invariant(g, there);
  graph::MemoryReport sum = options.plan(split.rest);
  if (split.once.outputs.empty()) return sum;
  const graph::MemoryReport once = options.plan(split.once);
  sum.weight_bytes += once.weight_bytes;
  sum.activation_bytes += once.activation_bytes;
  sum.scratch_bytes += once.scratch_bytes;
  return sum;
}

void warn_above_limit(StageContext& stage, const ComponentReport& report) {
  if (stage.max_memory == 0 || report.memory.peak_bytes() <= stage.max_memory) return;
  stage.result.warnings.push_back(fmt::format("the {} plans with {}, more than the limit of {}", report.part,
                                              human_bytes(static_cast<double>(report.memory.peak_bytes())),
                                              human_bytes(static_cast<double>(stage.max_memory))));
}

}  // namespace thimble::diffusion
