// The denoiser cut in two gives the device's very bits: what is handed over is stored as it would have been inside.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "models/dit.h"
#include "passes/split_invariant.h"
#include "runtime/device.h"

namespace thimble::passes {
namespace {

graph::Tensor draw(const graph::Shape& shape, std::uint64_t seed, double scale) {
  graph::Tensor t(graph::TensorType{DType::f32, shape});
  fill_normal(t.mutable_as<float>(), seed);
  for (float& v : t.mutable_as<float>()) v *= static_cast<float>(scale);
  return t;
}

class SplitOnDevice : public testing::TestWithParam<graph::Precision> {};

TEST_P(SplitOnDevice, GivesTheSameBits) {
  const graph::Graph g = models::build_dit(
      {.latent_channels = 32, .grid = 8, .width = 64, .depth = 3, .heads = 2, .text_width = 48}, 2, 16);
  graph::Weights weights;
  std::uint64_t seed = 1;
  for (const graph::Parameter& p : g.parameters) {
    const graph::Value& v = g.value(p.value);
    weights.set(v.name, draw(v.type.shape, seed++, v.type.shape.size() > 1 ? 0.12 : 0.3));
  }
  const Split split = split_invariant(g, {"text", "pooled", "mask"});
  const auto executor = runtime::make_device_executor({.threads = 1});
  std::map<std::string, graph::Tensor> values;
  for (const graph::ValueId id : g.inputs) values[g.value(id).name] = draw(g.type(id).shape, 100 + id, 0.5);
  const auto run = [&](const graph::Graph& part) {
    std::vector<graph::Tensor> inputs;
    for (const graph::ValueId id : part.inputs) inputs.push_back(values.at(part.value(id).name));
    return (*executor->compile(part, weights, {.precision = GetParam()}))(inputs);
  };
  const auto whole = run(g);
  const auto once = run(split.once);
  ASSERT_EQ(once.size(), 4u);
  for (std::size_t i = 0; i < once.size(); ++i) values[split.once.outputs[i].name] = once[i];
  const auto rest = run(split.rest);
  const auto a = whole[0].as<float>(), b = rest[0].as<float>();
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i], b[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Precisions, SplitOnDevice, testing::Values(graph::Precision::f32, graph::Precision::bf16),
                         [](const auto& info) { return std::string(graph::to_string(info.param)); });

}  // namespace
}  // namespace thimble::passes
