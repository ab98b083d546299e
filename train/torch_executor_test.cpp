// Gradients of the Torch evaluation against central differences of the reference interpreter (double inside, f32 at its
// borders), and precision, memory and cancellation of the executor. Op by op agreement: tests/conformance.
#include "train/torch_executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"
#include "graph/builder.h"
#include "graph/reference.h"
#include "graph/weights.h"
#include "models/autoencoder.h"
#include "train/torch.h"

namespace thimble::train {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Tensor;
using graph::Var;
using graph::Weights;

Tensor normal(const graph::Shape& shape, std::uint64_t stream) {
  Tensor t({DType::f32, shape});
  fill_normal(t.mutable_as<float>(), 99, stream);
  return t;
}

// Zero-initialised tensors would hide mistakes: every parameter gets noise on top.
Weights noisy_weights(const Graph& g) {
  Weights w = graph::initialise(g, 3);
  std::uint64_t stream = 500;
  for (const graph::Parameter& p : g.parameters) {
    const std::string& name = g.value(p.value).name;
    Tensor t = w.at(name);
    const Tensor noise = normal(t.shape(), stream++);
    auto values = t.mutable_as<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.1f * noise.as<float>()[i];
    w.set(name, t);
  }
  return w;
}

Tensor moved(const Tensor& t, const Tensor& direction, double by) {
  Tensor out({DType::f32, t.shape()});
  auto to = out.mutable_as<float>();
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = t.as<float>()[i] + static_cast<float>(by) * direction.as<float>()[i];
  return out;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.as<float>().size(); ++i) sum += double{a.as<float>()[i]} * b.as<float>()[i];
  return sum;
}

// loss = <first output, fixed random tensor>. For every parameter and input, the directional derivative along a random
// direction must agree within `tolerance` of |gradient| |direction|.
void check_gradients(const Graph& g, double tolerance) {
  const Weights weights = noisy_weights(g);
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < g.inputs.size(); ++i) inputs.push_back(normal(g.type(g.inputs[i]).shape, 10 + i));
  const Tensor probe = normal(g.type(g.outputs[0].value).shape, 77);

  Parameters parameters = load_parameters(g, weights, at::kCPU);
  std::vector<at::Tensor> x;
  for (const Tensor& t : inputs) x.push_back(to_torch(t.view()).requires_grad_(true));
  for (auto& [name, p] : parameters) p.requires_grad_(true);
  const at::Tensor y = run_graph(g, parameters, x, graph::Precision::f32)[0];
  torch::autograd::backward({y}, {to_torch(probe.view())});

  const auto reference = graph::make_reference_executor();
  const auto loss = [&](const Weights& w, const std::vector<Tensor>& in) {
    return dot((*reference->compile(g, w, {}))(in)[0], probe);
  };
  constexpr double kStep = 2e-3;
  const auto compare = [&](const std::string& what, const at::Tensor& gradient, const Tensor& direction,
                           double numeric) {
    const Tensor analytic = from_torch(gradient);
    const double scale = std::sqrt(dot(analytic, analytic) * dot(direction, direction));
    EXPECT_GT(scale, 0) << what;
    EXPECT_NEAR(dot(analytic, direction), numeric, tolerance * scale) << what;
  };
  std::uint64_t stream = 1000;
  for (const auto& [name, p] : parameters) {
    const Tensor direction = normal(p.sizes().vec(), stream++);
    Weights up = weights, down = weights;
    up.set(name, moved(weights.at(name), direction, kStep));
    down.set(name, moved(weights.at(name), direction, -kStep));
    compare(name, p.grad(), direction, (loss(up, inputs) - loss(down, inputs)) / (2 * kStep));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor direction = normal(inputs[i].shape(), stream++);
    auto up = inputs, down = inputs;
    up[i] = moved(inputs[i], direction, kStep);
    down[i] = moved(inputs[i], direction, -kStep);
    compare("input " + std::to_string(i), x[i].grad(), direction,
            (loss(weights, up) - loss(weights, down)) / (2 * kStep));
  }
}

Graph mlp_graph() {
  Builder b("mlp");
  Var x = b.input("x", {2, 5, 12}), shift = b.input("shift", {2, 1, 12}), scale = b.input("scale", {2, 1, 12});
  Var h = b.modulate(b.layer_norm(x, "norm"), shift, scale);
  h = b.gelu_tanh(b.linear(h, "fc1", 24));
  h = b.rms_norm(b.linear(h, "fc2", 12), "rms");
  b.output("y", b.glu(b.linear(x + h, "fc3", 16), graph::UnaryKind::silu));
  return b.finish();
}

Graph attention_graph() {
  Builder b("attention");
  Var x = b.input("x", {2, 6, 16}), context = b.input("context", {2, 4, 10}), mask = b.input("mask", {2, 1, 1, 4});
  const auto qkv = b.chunk(b.linear(b.layer_norm(x), "qkv", 48), -1, 3);
  Var h = x + b.attention(qkv[0], qkv[1], qkv[2], {.heads = 4, .kv_heads = 4, .causal = true});
  const auto kv = b.chunk(b.linear(context, "kv", 16), -1, 2);
  Var a = b.attention(b.linear(h, "q", 16), kv[0], kv[1], mask, {.heads = 4, .kv_heads = 2});
  b.output("y", h + b.linear(a, "out", 16));
  return b.finish();
}

Graph conv_graph() {
  Builder b("conv");
  Var x = b.input("x", {2, 8, 8, 3});
  Var h = b.conv2d(b.pixel_unshuffle(x, 2), "stem", 8);
  h = h + b.conv2d(b.silu(b.group_norm(h, "norm", 4)), "conv", 8, {.groups = 2});
  h = b.conv2d(h, "down", 12, {.kernel = 3, .stride = 2});
  b.output("y", b.pixel_shuffle(b.resize(h, graph::ResizeMode::bilinear, 6, 6), 2));
  return b.finish();
}

TEST(TorchGradients, MlpWithNormsAndModulation) { check_gradients(mlp_graph(), 2e-3); }
TEST(TorchGradients, SelfAndCrossAttention) { check_gradients(attention_graph(), 2e-3); }
TEST(TorchGradients, ConvolutionsWithGroupNorm) { check_gradients(conv_graph(), 2e-3); }

// Rows and positions beyond one chunk of the norm kernels.
TEST(TorchGradients, NormsOverManyRows) {
  Builder b("norms");
  Var x = b.input("x", {2, 30, 40, 6});
  b.output("y", b.group_norm(b.layer_norm(x, "layer"), "group", 3));
  check_gradients(b.finish(), 2e-3);
}

// bf16 gradients point where the f32 ones do; 1/256 is bf16's rounding, and the errors of many terms average out.
TEST(TorchGradients, Bf16FollowsF32) {
  for (const Graph& g : {mlp_graph(), attention_graph(), conv_graph()}) {
    const Weights weights = noisy_weights(g);
    std::vector<at::Tensor> x;
    for (std::size_t i = 0; i < g.inputs.size(); ++i)
      x.push_back(to_torch(normal(g.type(g.inputs[i]).shape, 10 + i).view()));
    const at::Tensor probe = to_torch(normal(g.type(g.outputs[0].value).shape, 77).view());
    std::vector<std::map<std::string, at::Tensor>> gradients;
    for (const auto precision : {graph::Precision::f32, graph::Precision::bf16}) {
      Parameters parameters = load_parameters(g, weights, at::kCPU);
      for (auto& [name, p] : parameters) p.requires_grad_(true);
      torch::autograd::backward({run_graph(g, parameters, x, precision)[0]}, {probe});
      auto& found = gradients.emplace_back();
      for (auto& [name, p] : parameters) found[name] = p.grad().reshape(-1);
    }
    for (const auto& [name, exact] : gradients[0]) {
      const at::Tensor& coarse = gradients[1].at(name);
      EXPECT_EQ(coarse.scalar_type(), at::kFloat);
      const double cosine = (at::dot(exact, coarse) / (exact.norm() * coarse.norm())).item<double>();
      EXPECT_GT(cosine, 0.999) << g.name << " " << name;
      EXPECT_NEAR(coarse.norm().item<double>() / exact.norm().item<double>(), 1, 0.03) << g.name << " " << name;
    }
  }
}

TEST(TorchExecutor, RunsAModelAsTheReferenceDoes) {
  const models::AutoencoderConfig config{
      .patch = 2, .channels = {8, 12}, .encoder_blocks = {0, 1}, .decoder_blocks = {1, 1}, .latent_channels = 6};
  const Graph g = models::build_decoder(config, 2, 16);
  const Weights weights = noisy_weights(g);
  const std::vector<Tensor> in{normal(g.type(g.inputs[0]).shape, 4)};
  const auto expected = (*graph::make_reference_executor()->compile(g, weights, {}))(in);
  const auto executor = make_torch_executor("cpu", 2);
  const auto exact = executor->compile(g, weights, {.precision = graph::Precision::f32});
  const auto coarse = executor->compile(g, weights, {.precision = graph::Precision::bf16});
  const auto a = (*exact)(in), b = (*coarse)(in);
  double largest = 0;
  for (std::size_t i = 0; i < expected[0].as<float>().size(); ++i) {
    const float e = expected[0].as<float>()[i];
    largest = std::max(largest, std::fabs(double{e}));
    EXPECT_NEAR(a[0].as<float>()[i], e, 2e-5);
  }
  for (std::size_t i = 0; i < expected[0].as<float>().size(); ++i) {
    EXPECT_NEAR(b[0].as<float>()[i], expected[0].as<float>()[i], 0.03 * largest);
  }
  EXPECT_GT(exact->memory().weight_bytes, coarse->memory().weight_bytes);
}

TEST(TorchExecutor, StopsWhenCancelled) {
  const Graph g = mlp_graph();
  const auto program = make_torch_executor("cpu", 1)->compile(g, noisy_weights(g), {});
  std::vector<Tensor> tensors;
  std::vector<graph::TensorView> in;
  for (const graph::ValueId id : g.inputs) tensors.push_back(normal(g.type(id).shape, 1));
  for (const Tensor& t : tensors) in.push_back(t.view());
  Tensor out(g.type(g.outputs[0].value));
  const std::vector<graph::MutableTensorView> outputs{out.mutable_view()};
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(program->run(in, outputs, &cancel), Error);
}

TEST(TorchExecutor, RefusesUnknownDevices) {
  EXPECT_THROW(make_torch_executor("tpu"), Error);
  if (!torch_has_cuda()) {
    try {
      make_torch_executor("cuda");
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    }
  }
}

}  // namespace
}  // namespace thimble::train
