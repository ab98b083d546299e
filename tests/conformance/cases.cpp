#include "tests/conformance/case.h"

namespace thimble::conformance {

graph::Graph Case::graph() const {
  graph::Builder b(name);
  build(b);
  return b.finish();
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_elementwise_cases(cases);
  add_movement_cases(cases);
  add_matrix_cases(cases);
  add_image_cases(cases);
  add_norm_cases(cases);
  add_attention_cases(cases);
  add_quantized_cases(cases);
  add_fused_cases(cases);
  return cases;
}

}  // namespace thimble::conformance
