// Writes every example as an ONNX model and a safetensors file of its inputs ("input/NAME") and of what the reference
// interpreter makes of them ("output/NAME"): `onnx_cases FOLDER FORM QUANTISED`, such as `onnx_cases /tmp/cases plain
// qdq`. tools/peers/export_check.py runs them elsewhere.
#include <cstdio>
#include <exception>
#include <filesystem>

#include "base/error.h"
#include "formats/onnx/onnx.h"
#include "formats/safetensors/safetensors.h"
#include "tests/onnx/cases.h"

namespace {

using namespace thimble;

void write_tensors(const onnx_cases::Example& e, const std::filesystem::path& path) {
  std::vector<formats::TensorSpec> specs;
  std::map<std::string, const graph::Tensor*> tensors;
  const auto add = [&](const std::string& name, const graph::Tensor& t) {
    specs.push_back({name, t.type().dtype, t.shape()});
    tensors[name] = &t;
  };
  for (std::size_t i = 0; i < e.inputs.size(); ++i) add("input/" + e.graph.value(e.graph.inputs[i]).name, e.inputs[i]);
  for (std::size_t i = 0; i < e.wanted.size(); ++i) add("output/" + e.graph.outputs[i].name, e.wanted[i]);
  formats::SafetensorsWriter out(path, specs, {{"tolerance", fmt::format("{:g}", e.tolerance)}});
  for (const formats::TensorSpec& spec : out.order()) {
    const graph::Tensor& t = *tensors.at(spec.name);
    out.write(spec.name, {t.data(), t.type().bytes()});
  }
  out.commit();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto form = formats::onnx_form_from_string(argc > 2 ? argv[2] : "");
    const auto quantised = formats::onnx_quantised_from_string(argc > 3 ? argv[3] : "");
    if (!form || !quantised) {
      std::fputs("usage: onnx_cases FOLDER plain|onnx|microsoft qdq|integer\n", stderr);
      return 2;
    }
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    auto examples = onnx_cases::conformance_examples();
    for (auto& e : onnx_cases::network_examples()) examples.push_back(std::move(e));
    for (const onnx_cases::Example& e : examples) {
      formats::write_onnx(e.graph, formats::onnx_weights(e.weights), folder / (e.name + ".onnx"),
                          {.form = *form, .quantised = *quantised});
      write_tensors(e, folder / (e.name + ".safetensors"));
    }
    std::printf("%zu models\n", examples.size());
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
