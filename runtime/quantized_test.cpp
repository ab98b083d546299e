// Plans of quantised layers: what is shared, what is fused, what weights take, and what the plan says of its choices.
#include "graph/builder.h"
#include "runtime/plan.h"
#include "runtime/test_support.h"

namespace thimble::runtime {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Precision;
using graph::QuantLinear;
using graph::Var;

std::vector<std::string> names(const PlanReport& report) {
  std::vector<std::string> out;
  for (const StepReport& s : report.steps) out.push_back(s.op);
  return out;
}

PlanReport report_of(const Graph& g, Precision precision = Precision::f32) {
  return plan_report(g, {precision}, {.isa = Isa::scalar, .threads = 1});
}

TEST(QuantisedPlan, LayersOfOneInputShareItsRounding) {
  Builder b("g");
  const Var x = b.input("x", {5, 64});
  b.output("q", quant_linear(x, "q", 32, {.bits = 8}));
  b.output("k", quant_linear(x, "k", 48, {.bits = 8}));
  b.output("v", quant_linear(x, "v", 16, {.bits = 8, .asymmetric = true}));
  const std::vector<std::string> wanted{"quantize", "quant_linear", "quant_linear", "quantize", "quant_linear"};
  EXPECT_EQ(names(report_of(b.finish())), wanted);
}

TEST(QuantisedPlan, NeighboursAreFusedIntoTheProduct) {
  Builder b("g");
  const Var x = b.input("x", {2, 9, 64}), gate = b.input("gate", {2, 1, 64});
  const Var h = b.gelu_tanh(quant_linear(x, "fc1", 96, {.bits = 8}));
  b.output("y", x + gate * quant_linear(h, "fc2", 64, {.bits = 4, .group = 32}));
  const Graph g = b.finish();
  const std::vector<std::string> wanted{"quantize", "quant_linear+gelu_tanh", "quantize", "quant_linear+gate+residual"};
  for (const Precision p : {Precision::f32, Precision::bf16}) EXPECT_EQ(names(report_of(g, p)), wanted);
}

// 8 bits: a byte a weight, a scale and a sum of 4 bytes an output; 4 bits: half, and a scale for each group.
TEST(QuantisedPlan, WeightsTakeTheirBits) {
  constexpr std::int64_t kIn = 256, kOut = 512, kBias = kOut * 4;
  const auto bytes = [&](QuantLinear format) {
    Builder b("g");
    b.output("y", quant_linear(b.input("x", {8, kIn}), "fc", kOut, format));
    const PlanReport r = report_of(b.finish(), Precision::bf16);
    return static_cast<std::int64_t>(r.memory.weight_bytes) - kBias;
  };
  EXPECT_EQ(bytes({.bits = 8}), kIn * kOut + 8 * kOut);
  EXPECT_EQ(bytes({.bits = 4}), kIn * kOut / 2 + 8 * kOut);
  EXPECT_EQ(bytes({.bits = 4, .group = 64}), kIn * kOut / 2 + 4 * kOut * (kIn / 64) + 4 * kOut);
  EXPECT_EQ(bytes({.bits = 4, .group = 64, .activations = 16}), kIn * kOut / 2 + 4 * kOut * (kIn / 64));
  EXPECT_EQ(bytes({.bits = 8, .activations = 16}), 2 * kIn * kOut);  // widened: no kernel takes both
}

TEST(QuantisedPlan, SaysWhatItChoseAndWhatNot) {
  const auto explain = [](QuantLinear format) {
    Builder b("g");
    b.output("y", quant_linear(b.input("x", {8, 64}), "fc", 32, format));
    const PlanReport r = report_of(b.finish());
    return r.steps.back().kernel + " not " + r.steps.back().refused;
  };
  EXPECT_TRUE(explain({.bits = 8}).starts_with("qgemm_w8a8_scalar not ")) << explain({.bits = 8});
  EXPECT_TRUE(explain({.bits = 4}).starts_with("qgemm_w4a8_scalar not ")) << explain({.bits = 4});
  EXPECT_TRUE(explain({.bits = 4, .activations = 16}).starts_with("w4a16 gemm_f32_scalar"))
      << explain({.bits = 4, .activations = 16});
  EXPECT_NE(explain({.bits = 8, .activations = 16}).find("w8a16: no such kernel"), std::string::npos);
  if (supports(cpu(), Isa::avx2)) {
    EXPECT_NE(explain({.bits = 8}).find("avx2: capped at scalar"), std::string::npos);
  }
}

TEST(QuantisedPlan, AWeightThatIsComputedRunsDecomposed) {
  Builder b("g");
  const Var w = b.cast(b.input("w", {16, 48}), DType::i8);
  const Var scale = b.param("scale", {16, 1}, {graph::Init::Kind::constant, 0.01});
  b.output("y", b.add(QuantLinear{.bits = 8}, {b.input("x", {4, 48}), w, scale}));
  const auto steps = names(report_of(b.finish()));
  EXPECT_EQ(std::ranges::find(steps, "quant_linear"), steps.end());
  EXPECT_NE(std::ranges::find(steps, "matmul"), steps.end());
}

}  // namespace
}  // namespace thimble::runtime
