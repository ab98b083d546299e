// The table of formats: one row each, formats with a true signature first. Where several would take a file, the first
// whose structure holds has it.
#include <array>

#include "gauge/probes/all.h"

namespace thimble::gauge {

std::span<const ModelProbe* const> model_probes() {
  static constexpr std::array<const ModelProbe*, 15> kTable{
      &kTfliteProbe,       // FlatBuffers, TFL3
      &kGgufProbe,         // GGUF
      &kSafetensorsProbe,  // length, JSON, bytes
      &kNcnnParamProbe,    // text
      &kNcnnBinaryParamProbe,
      &kTfjsProbe,  // JSON
      &kDlcProbe,   // FlatBuffers behind a header
      &kPytorchProbe,
      &kCaffeProbe,  // from here on known by their names alone
      &kMnnProbe,
      &kCoremlProbe,
      &kSavedModelProbe,
      &kOnnxProbe,        // protobuf without magic
      &kTensorflowProbe,  // likewise
      &kNcnnBinProbe,     // needs its .param
  };
  return kTable;
}

std::string_view to_string(ModelStatus status) {
  switch (status) {
    case ModelStatus::ok: return "ok";
    case ModelStatus::encrypted: return "encrypted";
    case ModelStatus::compressed: return "compressed";
    case ModelStatus::truncated: return "truncated";
    case ModelStatus::unsupported_version: return "unsupported-version";
    case ModelStatus::malformed: return "malformed";
    case ModelStatus::not_a_model: return "not-a-model";
  }
  return "not-a-model";
}

FailureKind failure_of(ModelStatus status) {
  switch (status) {
    case ModelStatus::encrypted: return FailureKind::encrypted;
    case ModelStatus::compressed: return FailureKind::compressed;
    case ModelStatus::truncated: return FailureKind::truncated;
    case ModelStatus::unsupported_version: return FailureKind::unsupported_version;
    case ModelStatus::malformed: return FailureKind::malformed;
    case ModelStatus::ok:
    case ModelStatus::not_a_model: break;
  }
  return FailureKind::not_a_model;
}

}  // namespace thimble::gauge
