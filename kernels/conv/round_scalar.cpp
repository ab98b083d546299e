// Portable rounding of pictures.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/conv/round-inl.h"

namespace thimble::kernels::internal {

const RoundOps round_scalar{Isa::scalar, range_of, round_numbers};

}  // namespace thimble::kernels::internal
