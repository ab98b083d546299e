#include "passes/passes.h"

namespace thimble::passes {

std::span<const PassInfo> passes() {
  static constexpr PassInfo kPasses[] = {
      {"fold_constants", "evaluates what depends on constants alone", "exact"},
      {"split_invariant", "splits off what depends on some inputs alone, to be run once", "exact"},
  };
  return kPasses;
}

}  // namespace thimble::passes
