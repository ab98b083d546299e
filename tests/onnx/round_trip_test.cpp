// Every op and every small network, written as ONNX, read back by the importer, and run on the reference interpreter.
// Two executions in double precision of what should be one function: they differ by what a file rounds to f32
// (constants) and by where an activation falls between two steps.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "formats/onnx/onnx.h"
#include "gauge/import/import.h"
#include "graph/builder.h"
#include "graph/reference.h"
#include "tests/onnx/cases.h"

namespace thimble::onnx_cases {
namespace {

using formats::OnnxForm;
using formats::OnnxOptions;
using formats::OnnxQuantised;
using graph::Tensor;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / fmt::format("thimble_onnx_{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

gauge::Import read_back(const std::filesystem::path& path) {
  const gauge::Model model = gauge::open_model(path);
  gauge::Import in = gauge::import_model(model, {});
  EXPECT_EQ(in.stopped.value_or(""), "");
  return in;
}

std::vector<Tensor> run(const gauge::Import& in, const std::vector<Tensor>& inputs) {
  return (*graph::make_reference_executor()->compile(in.graph, in.weights, {}))(inputs);
}

// What f32 constants in the file change; the list's own bound where a rounding may fall either way, and where times
// meet frequencies, which a file holds in f32: an angle of 1000 is then off by 1000 times 2^-24.
double bound_of(const Example& e) {
  const bool angles = std::ranges::any_of(
      e.graph.nodes, [](const graph::Node& n) { return std::holds_alternative<graph::SinusoidalEmbedding>(n.op); });
  return angles || e.tolerance >= 1e-2 ? e.tolerance : 2e-6;
}

void expect_same(const Example& e, const OnnxOptions& options) {
  const Folder folder;
  const auto path = folder / (e.name + ".onnx");
  formats::write_onnx(e.graph, formats::onnx_weights(e.weights), path, options);
  const gauge::Import in = read_back(path);
  ASSERT_EQ(in.graph.inputs.size(), e.graph.inputs.size()) << e.name;
  ASSERT_EQ(in.graph.outputs.size(), e.graph.outputs.size()) << e.name;
  const auto got = run(in, e.inputs);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(in.graph.outputs[i].name.starts_with(e.graph.outputs[i].name));
    EXPECT_LE(relative_error(got[i], e.wanted[i]), bound_of(e))
        << e.name << " as " << to_string(options.form) << ", " << to_string(options.quantised);
  }
}

const std::vector<Example>& all() {
  static const std::vector<Example> examples = conformance_examples();
  return examples;
}

TEST(OnnxRoundTrip, EveryOpInThePlainForm) {
  for (const Example& e : all()) expect_same(e, {.form = OnnxForm::plain});
}

TEST(OnnxRoundTrip, EveryOpInTheFormOfSingleOperators) {
  for (const Example& e : all()) expect_same(e, {.form = OnnxForm::onnx});
}

TEST(OnnxRoundTrip, EveryOpWithFusedAttentionAndIntegerProducts) {
  for (const Example& e : all()) {
    expect_same(e, {.form = OnnxForm::microsoft, .quantised = OnnxQuantised::integer});
  }
}

TEST(OnnxRoundTrip, EveryFamilyOfNetworks) {
  const auto networks = network_examples();
  EXPECT_GT(networks.size(), 40u);
  for (const Example& e : networks) expect_same(e, {.form = OnnxForm::plain});
}

const Example& example(const std::string& name) {
  for (const Example& e : all()) {
    if (e.name == name) return e;
  }
  throw Error(ErrorKind::internal, "no example " + name);
}

TEST(OnnxRoundTrip, WeightsBesideTheModelAndNarrowOnes) {
  const Example& e = example("quant_linear_chain");
  expect_same(e, {.external = true});
  expect_same(e, {.most_embedded = 4096});
  const Folder folder;
  const auto written =
      formats::write_onnx(e.graph, formats::onnx_weights(e.weights), folder / "a.onnx", {.external = true});
  EXPECT_EQ(written.data.filename(), "a.onnx.data");
  EXPECT_EQ(written.bytes, std::filesystem::file_size(written.model) + std::filesystem::file_size(written.data));
  EXPECT_EQ(folder.files(), 2u);
}

TEST(OnnxRoundTrip, NarrowWeightsAreTheFloatsThatTheyRoundTo) {
  graph::Builder b("narrow");
  b.output("y", b.linear(b.input("x", {2, 16}), "fc", 8));
  const graph::Graph g = b.finish();
  const graph::Weights weights = graph::initialise(g, 1);
  for (const DType type : {DType::f16, DType::bf16}) {
    const Folder folder;
    const auto written = formats::write_onnx(g, formats::onnx_weights(weights), folder / "a.onnx", {.weights = type});
    EXPECT_EQ(written.operators.at("Cast"), 1) << "the bias stays as it is";
    graph::Weights rounded = weights;
    rounded.set("fc.weight", weights.at("fc.weight").to(type).to(DType::f32));
    const std::vector<Tensor> inputs{Tensor::filled({2, 16}, 0.25f)};
    const auto wanted = (*graph::make_reference_executor()->compile(g, rounded, {}))(inputs);
    EXPECT_LE(relative_error(run(read_back(folder / "a.onnx"), inputs)[0], wanted[0]), 1e-6) << to_string(type);
  }
}

TEST(OnnxRoundTrip, AttentionIsOneOperatorWhereTheFormHasOne) {
  const Example& e = example("attention_mask_keys");
  const auto operators = [&](OnnxForm form) {
    const Folder folder;
    return formats::write_onnx(e.graph, formats::onnx_weights(e.weights), folder / "a.onnx", {.form = form}).operators;
  };
  EXPECT_EQ(operators(OnnxForm::onnx).at("Attention"), 1);
  EXPECT_EQ(operators(OnnxForm::microsoft).at("com.microsoft.MultiHeadAttention"), 1);
  EXPECT_EQ(operators(OnnxForm::plain).at("MatMul"), 2);
  EXPECT_EQ(operators(OnnxForm::plain).at("Softmax"), 1);
}

TEST(OnnxRoundTrip, APictureIsTransposedOnceEachWay) {
  graph::Builder b("pictures");
  graph::Var x = b.input("x", {1, 8, 8, 4});
  x = b.silu(b.group_norm(b.conv2d(x, "a", 8), "norm", 2));
  x = b.conv2d(x, "b", 8) + b.conv2d(x, "skip", 8, {.kernel = 1}) * 0.5;
  x = b.conv2d(b.resize(x, graph::ResizeMode::nearest, 16, 16), "c", 3);
  b.output("y", x);
  const graph::Graph g = b.finish();
  const Folder folder;
  const auto written = formats::write_onnx(g, formats::onnx_weights(graph::initialise(g, 1)), folder / "a.onnx", {});
  EXPECT_EQ(written.operators.at("Transpose"), 2);
}

TEST(OnnxRoundTrip, NothingIsLeftBehindWhenAWeightIsMissing) {
  const Example& e = example("quant_linear_chain");
  const Folder folder;
  EXPECT_THROW(formats::write_onnx(e.graph, formats::onnx_weights({}), folder / "a.onnx", {.external = true}), Error);
  EXPECT_EQ(folder.files(), 0u);
}

}  // namespace
}  // namespace thimble::onnx_cases
