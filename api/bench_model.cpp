#include "api/bench_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "api/random_weights.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "diffusion/published/denoising.h"
#include "diffusion/published/network.h"
#include "diffusion/published/stopwatch.h"
#include "graph/cost.h"

namespace thimble::api {
namespace {

using diffusion::NamedTensors;
using models::Role;

// Normal values for floats, times of half way; token ids that every vocabulary has.
NamedTensors drawn_inputs(const graph::Graph& g) {
  NamedTensors values;
  std::uint64_t stream = 0;
  for (const graph::ValueId id : g.inputs) {
    graph::Tensor t(g.type(id));
    const std::string& name = g.value(id).name;
    const bool mask = name.find("mask") != std::string::npos;
    if (g.type(id).dtype == DType::f32 && !mask) fill_normal(t.mutable_as<float>(), 1, ++stream);
    if (name == "timestep" && g.type(id).dtype == DType::f32) std::ranges::fill(t.mutable_as<float>(), 0.5F);
    values.emplace(name, std::move(t));
  }
  return values;
}

bool all_finite(const NamedTensors& values) {
  for (const auto& [name, t] : values) {
    if (!std::ranges::all_of(t.as<float>(), [](float v) { return std::isfinite(v); })) return false;
  }
  return true;
}

PartTiming time_part(const models::CatalogueModel& model, const models::CataloguePart& part, Role role, int pixels,
                     const ModelBenchOptions& o, graph::Executor& executor, const CancelToken* cancel) {
  PartTiming t;
  t.part = role == Role::decoder ? part.name + " decoder" : part.name;
  t.rows = role == Role::denoiser ? model.guided_batch : role == Role::text ? std::min(model.guided_batch, 2) : 1;
  graph::Graph g = models::build_catalogue_part(model, part, role, pixels, t.rows);
  t.parameters = g.parameter_count();
  if (o.quantize) {
    const auto layers = passes::chosen(passes::choose_layers(g, *o.quantize));
    t.quantized = static_cast<int>(layers.size());
    g = passes::quantize(g, layers);
  }
  t.flops = graph::cost(g).flops;
  const NamedTensors inputs = drawn_inputs(g);
  const bool peaks = reset_peak_resident();
  diffusion::Stopwatch watch;
  RandomWeights random(o.stored);
  std::optional<diffusion::NetworkWeights> weights({part.name, random.draw(g)});
  t.draw = watch.lap();
  const std::set<std::string> steady = role == Role::denoiser ? diffusion::steady_inputs() : std::set<std::string>();
  std::set<std::string> there;
  for (const std::string& name : steady) {
    if (inputs.contains(name)) there.insert(name);
  }
  diffusion::Network network(*weights, g, executor, o.precision, there);
  t.load = watch.lap();
  weights.reset();
  random = RandomWeights(o.stored);  // only what was packed stays
  t.stored_bytes = network.stored_bytes();
  t.memory = network.memory();
  network.fix(inputs, cancel);
  t.once = there.empty() ? 0 : watch.lap();
  for (int i = 0; i < o.warmup; ++i) network.run(inputs, cancel);
  watch.lap();
  for (int i = 0; i < o.runs; ++i) {
    const NamedTensors& made = network.run(inputs, cancel);
    t.runs.push_back(watch.lap());
    t.finite = t.finite && all_finite(made);
    watch.lap();
  }
  t.resident_peak = peaks ? peak_resident_bytes() : 0;
  return t;
}

}  // namespace

std::vector<PartTiming> bench_model(const models::CatalogueModel& model, const ModelBenchOptions& options,
                                    graph::Executor& executor, const std::function<void(const PartTiming&)>& done,
                                    const CancelToken* cancel) {
  const int pixels = options.pixels > 0 ? options.pixels : model.sizes.front();
  // In the order of a picture: text, denoiser, decoder.
  std::vector<std::pair<const models::CataloguePart*, Role>> order;
  for (const Role role : {Role::text, Role::denoiser, Role::decoder}) {
    for (const models::CataloguePart& p : model.parts) {
      const bool wanted = options.part.empty() ? p.name != "tiny-vae" : p.name == options.part;
      if (wanted && std::ranges::find(p.roles, role) != p.roles.end()) order.emplace_back(&p, role);
    }
  }
  if (order.empty()) {
    std::string names;
    for (const models::CataloguePart& p : model.parts) names += (names.empty() ? "" : ", ") + p.name;
    fail(ErrorKind::bad_input, "{} has no part '{}'; it has {}", model.name, options.part, names);
  }
  std::vector<PartTiming> timings;
  for (const auto& [part, role] : order) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    timings.push_back(with_context(fmt::format("in {} of {}", part->name, model.name), [&, p = part, r = role] {
      return time_part(model, *p, r, pixels, options, executor, cancel);
    }));
    if (done) done(timings.back());
  }
  return timings;
}

}  // namespace thimble::api
