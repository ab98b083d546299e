// The planned peak against what the system counts: resident memory from before a program is compiled to its peak after
// a run. Large enough that what the program itself takes (code, stacks, the heap's slack) is lost in the 3 %.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/memory.h"
#include "graph/builder.h"
#include "runtime/test_support.h"

#if defined(__SANITIZE_ADDRESS__)
#define THIMBLE_SHADOW_MEMORY
#endif

namespace thimble::runtime {
namespace {

using graph::Graph;
using graph::Precision;
using graph::Tensor;

constexpr std::int64_t kWidth = 1280, kRows = 4096;
constexpr int kLayers = 6;

Graph chain(std::optional<graph::QuantLinear> format = {}) {
  graph::Builder b("chain");
  graph::Var x = b.input("x", {kRows, kWidth});
  for (int i = 0; i < kLayers; ++i) {
    const std::string name = "layer" + std::to_string(i);
    x = x + b.relu(format ? quant_linear(x, name, kWidth, *format) : b.linear(x, name, kWidth));
  }
  b.output("y", b.slice(x, 0, 0, 1));
  return b.finish();
}

// Of `work`, beside what was resident before; 0 where the system cannot reset its counter.
template <class Work>
std::size_t measured_peak(Work&& work) {
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  if (!reset) return 0;
  const std::size_t before = resident_bytes();
  work();
  return peak_resident_bytes() - before;
}

void expect_planned(const Graph& g, const graph::Weights& weights, const DeviceOptions& options, Precision precision) {
#if defined(THIMBLE_SHADOW_MEMORY)
  GTEST_SKIP() << "the sanitizer's own memory is counted too";
#endif
  const auto inputs = draw_inputs(g, false);
  Tensor y(graph::TensorType{DType::f32, {1, kWidth}});
  std::size_t planned = 0;
  const std::size_t measured = measured_peak([&] {
    const auto program = make_device_executor(options)->compile(g, weights, {precision});
    const std::vector<graph::TensorView> in{inputs[0].view()};
    const std::vector<graph::MutableTensorView> out{y.mutable_view()};
    program->run(in, out);
    planned = program->memory().peak_bytes();
  });
  if (measured == 0) GTEST_SKIP() << "this system does not count the peak anew";
  const double ratio = static_cast<double>(measured) / static_cast<double>(planned);
  EXPECT_GT(ratio, 0.97) << measured << " bytes measured, " << planned << " planned";
  EXPECT_LT(ratio, 1.03) << measured << " bytes measured, " << planned << " planned";
}

TEST(Peak, OfOwnedWeights) {
  const Graph g = chain();
  graph::Weights weights;
  const graph::Weights drawn = draw_weights(g, false);
  for (const std::string& name : drawn.names()) weights.set(name, drawn.at(name).to(DType::f16));
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    expect_planned(g, weights, {.threads = 2}, precision);
  }
}

// Weights in a mapped file: its pages go back as they are packed, and never stand beside the packed copies as a whole.
TEST(Peak, OfMappedWeights) {
  const Graph g = chain();
  const auto path = std::filesystem::temp_directory_path() / ("thimble_peak_" + std::to_string(::getpid()));
  std::vector<std::pair<std::string, std::size_t>> places;
  {
    const graph::Weights drawn = draw_weights(g, false);
    AtomicFile file(path);
    for (const std::string& name : drawn.names()) {
      const Tensor half = drawn.at(name).to(DType::f16);
      places.emplace_back(name, file.written());
      file.write(half.data(), half.type().bytes());
    }
    file.commit();
  }
  const auto mapped = MappedFile::open(path);
  std::filesystem::remove(path);
  graph::Weights weights;
  for (const auto& [name, place] : places) {
    const graph::TensorType type{DType::f16, g.type(*g.find_parameter(name)).shape};
    weights.set(name, Tensor(type, mapped, mapped->bytes().data() + place));
  }
  expect_planned(g, weights, {.threads = 2, .packed = [&] { mapped->release_pages(); }}, Precision::bf16);
}

// Integers of 8 and 4 bits are held at their size, and the rounded activations stand in the plan's arena.
TEST(Peak, OfQuantisedWeights) {
  for (const graph::QuantLinear format : {graph::QuantLinear{.bits = 8}, graph::QuantLinear{.bits = 4, .group = 64},
                                          graph::QuantLinear{.bits = 4, .group = 64, .activations = 16}}) {
    const Graph g = chain(format);
    expect_planned(g, draw_weights(g, false), {.threads = 2}, Precision::bf16);
  }
}

}  // namespace
}  // namespace thimble::runtime
