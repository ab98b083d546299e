// Target: ONNX models read whole and turned into graphs, with everything that the analysis says of them.
#include "gauge/analysis/analysis.h"
#include "gauge/testing/tiny_models.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  using namespace gauge::testing;
  using Ints = std::vector<std::int64_t>;
  const std::string picture = onnx_graph(
      {{"Conv", {"x", "w"}, {"a"}, {attribute("pads", Ints{1, 1, 1, 1})}},
       {"MaxPool", {"a"}, {"b"}, {attribute("kernel_shape", Ints{2, 2}), attribute("ceil_mode", std::int64_t{1})}},
       {"Shape", {"b"}, {"s"}},
       {"Slice", {"s", "zero", "one"}, {"n"}},
       {"Concat", {"n", "rest"}, {"to"}, {attribute("axis", std::int64_t{0})}},
       {"Reshape", {"b", "to"}, {"f"}},
       {"Softmax", {"f"}, {"y"}}},
      {onnx_tensor("w", {4, 2, 3, 3}, std::vector<float>(72, 0.5f)), onnx_tensor("zero", {1}, Ints{0}),
       onnx_tensor("one", {1}, Ints{1}), onnx_tensor("rest", {1}, Ints{-1})},
      {{"x", {-1, 2, 4, 4}}}, {{"y", {-1, -1}}});
  const std::string branch = onnx_graph({{"Add", {"x", "x"}, {"z"}}}, {}, {}, {{"z", {3, 1, 2}}});
  const std::string sequence = onnx_graph(
      {{"ReduceMean", {"x"}, {"m"}, {attribute("keepdims", std::int64_t{0})}},
       {"Greater", {"m", "k"}, {"c"}},
       {"If", {"c"}, {"u"}, {graph_attribute("then_branch", branch), graph_attribute("else_branch", branch)}},
       {"LSTM", {"u", "lw", "lr"}, {"", "h"}, {attribute("hidden_size", std::int64_t{1})}}},
      {onnx_tensor("k", {}, std::vector<float>{0}), onnx_tensor("lw", {1, 4, 2}, std::vector<float>(8, 1)),
       onnx_tensor("lr", {1, 4, 1}, std::vector<float>(4, 1))},
      {{"x", {3, 1, 2}}}, {{"h", {1, 1, 1}}});
  const std::string quantised =
      onnx_graph({{"DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}}, {"Gather", {"q", "at"}, {"y"}}},
                 {onnx_tensor("at", {2}, Ints{0, -1})}, {{"x", {3}}}, {{"y", {2}}});
  return {make_onnx(picture, 13), make_onnx(sequence, 13), make_onnx(quantised, 13)};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
    const gauge::Model model = gauge::read_onnx(bytes);
    const gauge::Analysis a = gauge::analyze(model, "m.onnx", bytes, {});
    fuzz::require(a.imported == a.import_note.empty());
    if (!a.imported) throw Error(ErrorKind::unsupported, a.import_note);
  });
}
