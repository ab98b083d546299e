// Target: the probe of TensorFlow Lite models, as a file of its own and as something found inside another.
#include "gauge/probes/all.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() { return {gauge::testing::make_tflite(40), gauge::testing::make_tflite(0)}; }

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
    for (const bool carved : {true, false}) {
      const gauge::ProbeResult r = gauge::kTfliteProbe.validate({"m.tflite", bytes, carved, nullptr});
      if (r.status != gauge::ModelStatus::ok) throw gauge::Refused(gauge::failure_of(r.status), r.reason);
      fuzz::require(r.bytes > 0 && r.bytes <= size);
    }
  });
}
