// Target: TensorFlow graphs, read whole and analysed.
#include "tests/fuzz/gauge_foreign.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() { return foreign_seeds("tensorflow"); }

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return thimble::fuzz::foreign_target("tensorflow", "tiny.pb", data, size);
}
