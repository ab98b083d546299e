// thimble export: the parts of a model as ONNX.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "api/export_onnx.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/published.h"
#include "cli/device/run_options.h"

namespace thimble::cli {
namespace {

struct ExportArguments {
  std::string model, out, form = "plain", quantised = "qdq", weights;
  api::ExportOptions options;
  QuantizeChoice quantize;
  bool onnx = false, json = false;
};

void read_names(ExportArguments& a) {
  const auto form = formats::onnx_form_from_string(a.form);
  if (!form) fail(ErrorKind::bad_input, "--form is plain, onnx or microsoft; '{}' came", a.form);
  a.options.onnx.form = *form;
  const auto quantised = formats::onnx_quantised_from_string(a.quantised);
  if (!quantised) fail(ErrorKind::bad_input, "--products is qdq or integer; '{}' came", a.quantised);
  a.options.onnx.quantised = *quantised;
  if (a.weights.empty()) return;
  const auto type = dtype_from_string(a.weights);
  if (type != DType::f32 && type != DType::f16 && type != DType::bf16) {
    fail(ErrorKind::bad_input, "--weights is f32, f16 or bf16; '{}' came", a.weights);
  }
  a.options.onnx.weights = type;
}

void export_command(ExportArguments& a) {
  if (!a.onnx) fail(ErrorKind::bad_input, "--onnx was wanted: it is the format that there is");
  read_names(a);
  a.options.inspect.quantize = a.quantize.options();
  ProgressBar bar("exporting");
  const auto done = api::export_onnx(a.model, is_published(a.model), a.out, a.options, bar.fn(), &interrupt_token());
  OrderedJson list = OrderedJson::array();
  for (const api::Exported& e : done) {
    const formats::OnnxWritten& w = e.written;
    if (!a.json) {
      fmt::print("{}: {}, operator set {}, {} nodes, {} tensors, {}{}\n", w.model.string(), e.part, w.opset, w.nodes,
                 w.tensors, human_bytes(static_cast<double>(w.bytes)),
                 w.data.empty() ? "" : ", weights in " + w.data.filename().string());
      continue;
    }
    list.push_back({{"part", e.part},
                    {"file", w.model.string()},
                    {"data", w.data.string()},
                    {"run", e.run.string()},
                    {"opset", w.opset},
                    {"nodes", w.nodes},
                    {"tensors", w.tensors},
                    {"bytes", w.bytes},
                    {"operators", w.operators}});
  }
  if (a.json) fmt::print("{}\n", list.dump(2));
}

}  // namespace

void add_export_command(CLI::App& app) {
  auto* c = app.add_subcommand("export", "write a model's parts as ONNX, for other runtimes and compilers");
  auto a = std::make_shared<ExportArguments>();
  c->add_option("model", a->model,
                "model file, config (.json), graph text, diffusers directory, checkpoint, or a published model by name "
                "with --random-weights (default: as for generate)");
  c->add_flag("--onnx", a->onnx, "as ONNX");
  c->add_option("-o,--output", a->out, "file; of several parts each gets FILE-PART.onnx")->required();
  c->add_option("--part", a->options.part, "only this part, as `thimble show` or the directory calls it");
  c->add_option("--form", a->form,
                "plain: operator set 21, attention as MatMul, Softmax, MatMul (default); onnx: operator set 23, "
                "Attention as one operator; microsoft: com.microsoft's MultiHeadAttention");
  c->add_option("--products", a->quantised,
                "of 8-bit activations: qdq, quantised and dequantised around MatMul (default), or integer, "
                "MatMulInteger");
  c->add_option("--weights", a->weights,
                "store floats of two axes and more as f32, f16 or bf16 (default: as they are)");
  c->add_flag("--external", a->options.onnx.external, "weights in FILE.data (by itself above 2 GB)");
  c->add_flag("--random-weights", a->options.random_weights, "draw weights where there are none");
  c->add_flag("--with-run", a->options.with_run, "also FILE.safetensors: inputs, and outputs of this device in f32");
  c->add_option("--variant", a->options.variant, "of a directory's weight files, such as fp16");
  c->add_option("--batch", a->options.inspect.batch, "rows of every part (default: as generate runs them)");
  c->add_option("--tokens", a->options.inspect.tokens, "text length (default: the model's)");
  c->add_option("--size", a->options.inspect.size, "pixels per side (default: the model's)");
  add_quantize_options(*c, a->quantize);
  c->add_flag("--json", a->json, "print as JSON");
  c->footer(
      "Examples:\n"
      "  thimble export --onnx weights/thimble-emoji.safetensors -o emoji.onnx\n"
      "  thimble export --onnx small.safetensors --part step --products integer -o step.onnx\n"
      "  thimble export --onnx stable-diffusion-v1-5/ --part unet --form onnx -o unet.onnx\n"
      "  thimble export --onnx sd1.5 --random-weights --part denoiser --weights f32 --batch 1 -o unet.onnx");
  c->callback([a] { export_command(*a); });
}

}  // namespace thimble::cli
