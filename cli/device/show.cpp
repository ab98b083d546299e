// thimble show: what a model, a config or a graph is, costs and needs, before anything runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <set>

#include "api/inspect.h"
#include "base/error.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/run_options.h"
#include "diffusion/samplers/sampler.h"
#include "graph/cost.h"
#include "graph/text.h"

namespace thimble::cli {
namespace {

struct ShowArguments {
  RunOptions run;
  api::InspectOptions inspect;
  QuantizeChoice quantize;
  std::string part;
  bool nodes = false, graph = false, explain = false, json = false;
};

struct Row {
  const api::InspectedGraph* graph;
  graph::GraphCost cost;
  runtime::PlanReport plan;
};

std::string bytes(std::size_t n) { return human_bytes(static_cast<double>(n)); }

std::string input_list(const graph::Graph& g) {
  std::string text;
  for (const graph::ValueId id : g.inputs) {
    text += (text.empty() ? "" : " ") + g.value(id).name + graph::to_string(g.type(id).shape);
  }
  return text;
}

// Parameters of all parts, each name of a store counted once.
std::int64_t all_parameters(const api::Inspected& file) {
  std::set<std::pair<std::size_t, std::string>> seen;
  std::int64_t count = 0;
  for (const api::InspectedGraph& g : file.graphs) {
    for (const graph::Parameter& p : g.graph.parameters) {
      if (seen.emplace(g.weights, g.graph.value(p.value).name).second) count += g.graph.type(p.value).elements();
    }
  }
  return count;
}

void print_nodes(const Row& row) {
  const graph::Graph& g = row.graph->graph;
  fmt::print("{:>5}  {:<22} {:<22} {:>12} {:>10} {:>10}  {}\n", "node", "op", "result", "parameters", "MFLOP", "moved",
             "weights");
  for (std::size_t i = 0; i < g.nodes.size(); ++i) {
    const graph::Node& n = g.nodes[i];
    const graph::NodeCost& c = row.cost.nodes[i];
    std::string names;
    for (const graph::ValueId id : n.inputs) {
      if (g.value(id).kind == graph::ValueKind::parameter) names += (names.empty() ? "" : " ") + g.value(id).name;
    }
    fmt::print("{:>5}  {:<22} {:<22} {:>12} {:>10.3f} {:>10}  {}\n", i, graph::op_name(n.op),
               graph::to_string(g.type(n.output)), c.parameters, c.flops / 1e6, human_bytes(c.activation_bytes), names);
  }
}

// What one picture takes with the model's own settings: every part as often as it runs, encoder left out. All programs
// are kept, so their bytes add up.
struct Picture {
  int calls = 0;
  double flops = 0;
  graph::MemoryReport memory;
};

Picture one_picture(const diffusion::Facts& facts, const std::vector<Row>& rows) {
  Picture p;
  const diffusion::Schedule schedule(facts.schedule);
  p.calls = diffusion::make_sampler(facts.sampler, schedule.levels(facts.steps), {.prediction = facts.prediction}, 1)
                ->calls();
  for (const Row& r : rows) {
    if (r.graph->name == "encoder") continue;
    p.flops += r.cost.flops * (r.graph->name == "step" ? p.calls : 1);
    p.memory.weight_bytes += r.plan.memory.weight_bytes;
    p.memory.activation_bytes += r.plan.memory.activation_bytes;
    p.memory.scratch_bytes += r.plan.memory.scratch_bytes;
  }
  return p;
}

// For people: lists of more than a few values (one for each latent channel, say) as their length.
Json shortened(Json facts) {
  for (auto& [key, value] : facts.items()) {
    if (value.is_array() && value.size() > 4) value = fmt::format("{} values", value.size());
  }
  return facts;
}

void print_summary(const api::Inspected& file, const std::vector<Row>& rows) {
  fmt::print("{} {}: {} parameters", file.kind, file.name, human_count(static_cast<double>(all_parameters(file))));
  if (file.file_bytes > 0) fmt::print(", {} on disk", bytes(file.file_bytes));
  fmt::print("{}\n", file.licence.empty() ? "" : ", licence " + file.licence);
  if (!file.description.empty()) fmt::print("{}\n", file.description);
  if (!file.pipeline.is_null()) fmt::print("pipeline {}\n", shortened(file.pipeline).dump());
  fmt::print("plans for {}\n\n", rows.front().plan.executor);
  fmt::print("{:<13} {:<24} {:>10} {:>9} {:>10} {:>12} {:>9} {:>9}  {}\n", "part", "runs", "parameters", "GFLOP",
             "weights", "activations", "scratch", "peak", "inputs");
  for (const Row& r : rows) {
    const graph::MemoryReport& m = r.plan.memory;
    fmt::print("{:<13} {:<24} {:>10} {:>9.4f} {:>10} {:>12} {:>9} {:>9}  {}\n", r.graph->name, r.graph->when,
               human_count(static_cast<double>(r.cost.parameters)), r.cost.flops / 1e9, bytes(m.weight_bytes),
               bytes(m.activation_bytes), bytes(m.scratch_bytes), bytes(m.peak_bytes()), input_list(r.graph->graph));
  }
  if (file.pipeline.is_null() || rows.size() != file.graphs.size()) return;
  const diffusion::Facts facts = diffusion::facts_from_json(file.pipeline, "pipeline");
  const Picture p = one_picture(facts, rows);
  fmt::print(
      "\none picture: {} steps of {} are {} runs of the step, {:.3f} GFLOP; weights {}, activations {}, peak {}\n",
      facts.steps, facts.sampler, p.calls, p.flops / 1e9, bytes(p.memory.weight_bytes),
      bytes(p.memory.activation_bytes), bytes(p.memory.peak_bytes()));
}

Json node_json(const Row& row) {
  const graph::Graph& g = row.graph->graph;
  Json nodes = Json::array();
  for (std::size_t i = 0; i < g.nodes.size(); ++i) {
    const graph::NodeCost& c = row.cost.nodes[i];
    nodes.push_back({{"op", graph::op_name(g.nodes[i].op)},
                     {"result", graph::to_string(g.type(g.nodes[i].output))},
                     {"parameters", c.parameters},
                     {"flops", c.flops},
                     {"activation_bytes", c.activation_bytes}});
  }
  return nodes;
}

void print_json(const api::Inspected& file, const std::vector<Row>& rows, bool nodes) {
  Json parts = Json::array();
  for (const Row& r : rows) {
    const graph::MemoryReport& m = r.plan.memory;
    parts.push_back({{"part", r.graph->name},
                     {"runs", r.graph->when},
                     {"parameters", r.cost.parameters},
                     {"flops", r.cost.flops},
                     {"bytes",
                      {{"weights", m.weight_bytes},
                       {"activations", m.activation_bytes},
                       {"scratch", m.scratch_bytes},
                       {"peak", m.peak_bytes()}}}});
    if (nodes) parts.back()["nodes"] = node_json(r);
  }
  const Json out{{"kind", file.kind},
                 {"name", file.name},
                 {"licence", file.licence},
                 {"parameters", all_parameters(file)},
                 {"file_bytes", file.file_bytes},
                 {"pipeline", file.pipeline},
                 {"executor", rows.front().plan.executor},
                 {"parts", parts}};
  fmt::print("{}\n", out.dump(2));
}

void show(const ShowArguments& a) {
  std::optional<api::Inspected> published;
  if (!std::filesystem::exists(a.run.model)) published = api::inspect_published(a.run.model, a.inspect);
  const api::Inspected file = published ? *std::move(published) : api::inspect(api::find_model(a.run.model), a.inspect);
  const auto chosen = file.select(a.part);
  if (a.graph) {
    for (const auto* g : chosen) fmt::print("{}", graph::print_graph(g->graph));
    return;
  }
  const runtime::DeviceOptions device = a.run.device();
  const graph::CompileOptions compile{.precision = a.run.chosen_precision()};
  std::vector<Row> rows;
  for (const auto* g : chosen)
    rows.push_back({g, graph::cost(g->graph), runtime::plan_report(g->graph, compile, device)});
  if (a.json) return print_json(file, rows, a.nodes);
  print_summary(file, rows);
  for (const Row& r : rows) {
    if (a.nodes) {
      fmt::print("\n{}\n", r.graph->name);
      print_nodes(r);
    }
    if (a.explain) fmt::print("\n{}: {}", r.graph->name, runtime::print_report(r.plan));
  }
}

}  // namespace

void add_show_command(CLI::App& app) {
  auto* c = app.add_subcommand("show", "what a model is, costs and needs: parameters, FLOPs, bytes");
  auto a = std::make_shared<ShowArguments>();
  c->add_option(
      "model", a->run.model,
      "model file, config (.json), graph text, or a published model by name, see `thimble models` (default: as "
      "for generate)");
  c->add_option("--part", a->part, "only this part: text, prompt, step, decoder, encoder");
  c->add_flag("--nodes", a->nodes, "node by node");
  c->add_flag("--graph", a->graph, "print the graphs as text");
  c->add_flag("--explain", a->explain, "the plan step by step: kernel, why not a better one, place in memory");
  c->add_option("--batch", a->inspect.batch, "rows of every part (default: as generate runs them for one picture)");
  c->add_option("--tokens", a->inspect.tokens, "text length (default: the model's smallest bucket)");
  c->add_option("--size", a->inspect.size, "pixels per side (default: the model's)");
  add_run_options(*c, a->run);
  add_quantize_options(*c, a->quantize);
  c->add_flag("--json", a->json, "print as JSON");
  c->footer(
      "Examples:\n"
      "  thimble show\n"
      "  thimble show weights/thimble-emoji.safetensors --part step --nodes\n"
      "  thimble show config.json --graph --batch 4\n"
      "  thimble show --part decoder --explain --isa avx2\n"
      "  thimble show sd1.5\n"
      "  thimble show flux.1-schnell --bits 4 --group 64 --explain\n"
      "  thimble show sana-0.6b/vae --size 1024 --json");
  c->callback([a] {
    a->inspect.quantize = a->quantize.options();
    show(*a);
  });
}

}  // namespace thimble::cli
