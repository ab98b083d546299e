// The probes, for the table in table.cpp; others use model_probes().
#pragma once

#include "gauge/probe.h"

namespace thimble::gauge {

extern const ModelProbe kTfliteProbe, kOnnxProbe, kGgufProbe, kSafetensorsProbe, kNcnnParamProbe, kNcnnBinaryParamProbe,
    kNcnnBinProbe, kCaffeProbe, kSavedModelProbe, kTensorflowProbe, kTfjsProbe, kMnnProbe, kPytorchProbe, kCoremlProbe,
    kDlcProbe;

}  // namespace thimble::gauge
