// The device executor on the project's networks: against the reference, over ISA levels and threads, its contract.
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "graph/builder.h"
#include "models/autoencoder.h"
#include "models/dit.h"
#include "models/text_encoder.h"
#include "runtime/test_support.h"

namespace thimble::runtime {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Precision;
using graph::Tensor;

Graph small_dit(int batch = 2) {
  return models::build_dit({.latent_channels = 8,
                            .grid = 4,
                            .patch = 1,
                            .width = 48,
                            .depth = 2,
                            .heads = 3,
                            .ffn_ratio = 3,
                            .text_width = 40},
                           batch, 6);
}
Graph small_decoder(int batch = 1, int size = 32) {
  return models::build_decoder({.patch = 4,
                                .channels = {16, 24, 24},
                                .encoder_blocks = {0, 1, 1},
                                .decoder_blocks = {2, 1, 1},
                                .latent_channels = 8},
                               batch, size);
}
Graph small_text() {
  return models::build_text_encoder(
      {.vocabulary = 50, .width = 32, .depth = 2, .heads = 2, .max_length = 12, .out_width = 24}, 2, 7);
}

struct Network {
  const char* name;
  Graph graph;
  double f32, bf16;  // accepted errors
};

// In bf16 every stored activation is rounded to 8 bits (2^-9 relative): some thirty roundings in a row, partly adding
// up.
std::vector<Network> networks() {
  return {
      {"dit", small_dit(), 1e-5, 4e-2}, {"decoder", small_decoder(), 1e-5, 4e-2}, {"text", small_text(), 1e-5, 4e-2}};
}

TEST(Device, NetworksAgreeWithTheReferenceAtEveryIsa) {
  for (const Network& n : networks()) {
    SCOPED_TRACE(n.name);
    for (Isa isa : usable_isas()) {
      SCOPED_TRACE(to_string(isa));
      expect_agrees(n.graph, Precision::f32, n.f32, {.isa = isa, .threads = 2});
      expect_agrees(n.graph, Precision::bf16, n.bf16, {.isa = isa, .threads = 2});
    }
  }
}

TEST(Device, ResultsDoNotDependOnThreads) {
  for (const Network& n : networks()) {
    for (Precision precision : {Precision::f32, Precision::bf16}) {
      const graph::Weights weights = draw_weights(n.graph, false);
      const auto inputs = draw_inputs(n.graph, false);
      std::vector<Tensor> first;
      for (int threads : {1, 2, 3}) {
        const auto got = (*make_device_executor({.threads = threads})->compile(n.graph, weights, {precision}))(inputs);
        if (first.empty()) first = got;
        for (std::size_t i = 0; i < got.size(); ++i) {
          EXPECT_EQ(std::memcmp(got[i].data(), first[i].data(), got[i].type().bytes()), 0)
              << n.name << " with " << threads;
        }
      }
    }
  }
}

// The denoiser as designed: what is left when everything that can be fused is.
TEST(Device, TheDenoiserHasNoCopies) {
  const PlanReport r = plan_report(models::build_dit({}, 2, 16), {.precision = Precision::bf16}, {.threads = 2});
  int per_block = 0;
  for (const StepReport& s : r.steps) {
    EXPECT_EQ(s.op.find("copy"), std::string::npos) << print_report(r);
    if (s.op.starts_with("attention")) ++per_block;
  }
  EXPECT_EQ(per_block, 16);
  // Eleven steps a block: the table; norm, qkv, attention, out; norm, kv, q, attention, out; norm, two of the
  // feed-forward.
  EXPECT_LE(r.steps.size(), 8 * 13 + 22u) << print_report(r);
}

TEST(Device, PlansAreKnownWithoutWeights) {
  const Graph g = small_dit();
  const auto executor = make_device_executor({.threads = 2});
  const auto program = executor->compile(g, draw_weights(g, false), {});
  const PlanReport r = plan_report(g, {}, {.threads = 2});
  EXPECT_EQ(print_report(r), program->explain());
  EXPECT_EQ(r.memory.peak_bytes(), program->memory().peak_bytes());
  EXPECT_GT(r.flops, 2.0 * 2 * 16 * 48 * 48 * 20);
  EXPECT_EQ(r.executor, executor->name());
}

TEST(Device, ProgramsOfOneExecutorSharePackedWeights) {
  const Graph one = small_dit(1), four = small_dit(4);
  const graph::Weights weights = draw_weights(one, false);
  const auto executor = make_device_executor({.threads = 1});
  const auto a = executor->compile(one, weights, {});
  const auto& program = dynamic_cast<const DeviceProgram&>(*a);
  // Literals (the table of frequencies) belong to each plan alone.
  const std::size_t own = 128 * sizeof(double);
  EXPECT_EQ(program.shared_weight_bytes(), 0u);
  {
    const auto b = executor->compile(four, weights, {});
    EXPECT_EQ(b->memory().weight_bytes, a->memory().weight_bytes);
    EXPECT_EQ(program.shared_weight_bytes(), a->memory().weight_bytes - own);
    EXPECT_GT(b->memory().activation_bytes, 2 * a->memory().activation_bytes);
  }
  EXPECT_EQ(program.shared_weight_bytes(), 0u);
  const auto other = executor->compile(one, weights, {.precision = Precision::bf16});
  EXPECT_LT(program.shared_weight_bytes(), a->memory().weight_bytes / 10);  // biases and norms only
  EXPECT_LT(other->memory().weight_bytes, a->memory().weight_bytes * 3 / 5);
}

TEST(Device, ResolutionsShareConvolutionWeights) {
  const Graph small = small_decoder(1, 32), large = small_decoder(1, 64);
  const graph::Weights weights = draw_weights(small, false);
  const auto executor = make_device_executor({.threads = 2});
  const auto a = executor->compile(small, weights, {.precision = Precision::bf16});
  const auto b = executor->compile(large, weights, {.precision = Precision::bf16});
  EXPECT_EQ(a->memory().weight_bytes, b->memory().weight_bytes);
  EXPECT_EQ(dynamic_cast<const DeviceProgram&>(*b).shared_weight_bytes(), b->memory().weight_bytes);
}

TEST(Device, ExplainsWhyBetterKernelsWereNotTaken) {
  Builder b("g");
  b.output("y", b.linear(b.input("x", {4, 8}), "fc", 8));
  const PlanReport r = plan_report(b.finish(), {}, {.isa = Isa::scalar, .threads = 1});
  EXPECT_EQ(r.steps[0].kernel, "gemm_f32_scalar");
#if defined(__x86_64__)
  const std::string why = cpu().avx2 ? "gemm_f32_avx2: capped at scalar" : "gemm_f32_avx2: this machine has no avx2";
  EXPECT_NE(r.steps[0].refused.find(why), std::string::npos) << r.steps[0].refused;
  EXPECT_NE(print_report(r).find(why), std::string::npos);
#endif
}

TEST(Device, ReplacedWeightsAreNotTakenFromTheCache) {
  Builder b("g");
  b.output("y", b.linear(b.input("x", {1, 8}), "fc", 8, {.bias = false}));
  const Graph g = b.finish();
  const auto executor = make_device_executor({.threads = 1});
  graph::Weights weights;
  weights.set("fc.weight", Tensor::filled({8, 8}, 1));
  const Tensor x = Tensor::filled({1, 8}, 1);
  const auto before = executor->compile(g, weights, {});
  weights.set("fc.weight", Tensor::filled({8, 8}, 3));
  const auto after = executor->compile(g, weights, {});
  EXPECT_EQ((*before)({x})[0].as<float>()[0], 8);
  EXPECT_EQ((*after)({x})[0].as<float>()[0], 24);
}

TEST(Device, ConstantWeightsOfOnePlanDoNotReachAnother) {
  const auto product = [](double value) {
    Builder b("g");
    b.output("y", b.matmul(b.input("x", {1, 4}), b.constant(graph::Shape{4, 2}, {value})));
    return b.finish();
  };
  const auto executor = make_device_executor({.threads = 1});
  const auto a = executor->compile(product(2), {}, {}), b = executor->compile(product(5), {}, {});
  const Tensor x = Tensor::filled({1, 4}, 1);
  EXPECT_EQ((*a)({x})[0].as<float>()[1], 8);
  EXPECT_EQ((*b)({x})[0].as<float>()[1], 20);
}

TEST(Device, HalfPrecisionWeightsAreReadAsTheyAre) {
  const Graph g = small_text();
  graph::Weights full = draw_weights(g, true), half;
  for (const std::string& name : full.names()) half.set(name, full.at(name).to(DType::bf16));
  const auto executor = make_device_executor({.threads = 1});
  const auto inputs = draw_inputs(g, true);
  const auto a = (*executor->compile(g, full, {}))(inputs), b = (*executor->compile(g, half, {}))(inputs);
  EXPECT_EQ(std::memcmp(a[0].data(), b[0].data(), a[0].type().bytes()), 0);
}

TEST(Device, CancellationStopsBetweenSteps) {
  const Graph g = small_dit();
  const auto program = make_device_executor({.threads = 1})->compile(g, draw_weights(g, false), {});
  const auto inputs = draw_inputs(g, false);
  std::vector<graph::TensorView> in;
  for (const Tensor& t : inputs) in.push_back(t.view());
  Tensor out(program->output_types()[0]);
  const graph::MutableTensorView views[] = {out.mutable_view()};
  CancelToken cancel;
  cancel.cancel();
  try {
    program->run(in, views, &cancel);
    FAIL() << "run() went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::cancelled);
  }
  program->run(in, views);  // usable afterwards
}

TEST(Device, RefusalsNameTheOpAndTheType) {
  Builder b("g");
  b.output("y", b.softmax(b.cast(b.input("x", {2, 4}), DType::f64)));
  const Graph g = b.finish();
  try {
    plan_report(g, {}, {});
    FAIL() << "f64 was planned";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::unsupported);
    EXPECT_EQ(e.message(), "[softmax] no device kernel for f64; f32 and bf16 are served, cast before and after");
  }
}

TEST(Device, ProfileCountsRunsAndTime) {
  const Graph g = small_text();
  const auto program = make_device_executor({.threads = 1})->compile(g, draw_weights(g, false), {});
  auto& device = dynamic_cast<DeviceProgram&>(*program);
  const auto inputs = draw_inputs(g, false);
  (*program)(inputs);
  device.set_profile(true);
  for (int i = 0; i < 3; ++i) (*program)(inputs);
  EXPECT_EQ(device.profiled_runs(), 3);
  ASSERT_EQ(device.profile_ns().size(), device.report().steps.size());
  for (std::int64_t ns : device.profile_ns()) EXPECT_GT(ns, 0);
  device.set_profile(false);
  const std::vector<std::int64_t> before(device.profile_ns().begin(), device.profile_ns().end());
  (*program)(inputs);
  EXPECT_TRUE(std::ranges::equal(before, device.profile_ns()));
}

// What is too large for a kernel runs by its decomposition, and the report still names the node.
TEST(Device, UnservedModuleOpsAreDecomposed) {
  Builder b("g");
  const auto x = b.input("x", {1, 3, 2 * 600});
  b.output("y", b.attention(x, x, x, {.heads = 2, .kv_heads = 2}));
  const Graph g = b.finish();
  expect_agrees(g, Precision::f32, 2e-5);
  for (const StepReport& s : plan_report(g, {}, {}).steps) EXPECT_LE(s.node, 0);
}

}  // namespace
}  // namespace thimble::runtime
