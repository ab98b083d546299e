// Target: the scan of one whole package, from its bytes to the record: containers, evidence, candidates and carving.
#include "gauge/container/container.h"
#include "gauge/scan/package_scan.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

using namespace gauge::testing;

std::vector<std::string> seeds() {
  const std::string blob = std::string("\1\2\3", 3) + make_tflite(70) + "\xff" + make_onnx(70) + make_gguf();
  return {
      make_zip({{.name = "AndroidManifest.xml", .data = make_axml({})},
                {.name = "classes.dex",
                 .data = make_dex({.defined = {"Lorg/tensorflow/lite/Interpreter;"}, .strings = {"a.tflite"}})},
                {.name = "lib/x86/liba.so", .data = make_elf({.needed = {"libneuralnetworks.so"}})},
                {.name = "assets/a.tflite", .data = make_tflite(), .method = 0},
                {.name = "assets/b.bin", .data = make_onnx()},
                {.name = "assets/pack.data", .data = blob},
                {.name = "n.param", .data = make_ncnn_param()},
                {.name = "n.bin", .data = make_ncnn_bin()}}),
      make_zip({{.name = "base/manifest/AndroidManifest.xml", .data = make_proto_manifest({})},
                {.name = "base/assets/a.safetensors", .data = make_safetensors()}}),
      make_gzip(make_tar({{"package/a.onnx", make_onnx()}, {"package/b.tar", make_tar({{"c.gguf", make_gguf()}})}})),
      blob};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const gauge::Limits limits{
        .depth = 5, .entries = 1000, .memory = 16 << 20, .unpacked = 64 << 20, .ratio = 100, .ratio_from = 1 << 20};
    const gauge::PackageRecord r =
        gauge::scan_bytes(fuzz::bytes_of(fuzz::text_of(data, size)), "/corpus/input", limits, nullptr, CancelToken());
    for (const auto& m : r.models) fuzz::require(m.result.bytes > 0 && m.sha256.size() == 64 && !m.path.empty());
    for (const auto& f : r.failures) fuzz::require(!f.reason.empty() && !f.stage.empty());
    fuzz::require(r.unpacked <= limits.unpacked);
  });
}
