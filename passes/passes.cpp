#include "passes/passes.h"

namespace thimble::passes {

std::span<const PassInfo> passes() {
  static constexpr PassInfo kPasses[] = {
      {"fold_constants", "evaluates what depends on constants alone", "exact"},
      {"lora_branch", "puts LoRA matrices beside a layer's weight", "exact but for the order of sums"},
      {"quantize", "gives linear layers integer weights, and integer activations if asked",
       "within the error of rounding"},
      {"recognise", "puts one op in the place of chains that importers leave; widens convolutions of few channels",
       "within the error of rounding"},
      {"split_invariant", "splits off what depends on some inputs alone, to be run once", "exact"},
  };
  return kPasses;
}

}  // namespace thimble::passes
