// NEON rounding of pictures.
#include "kernels/conv/round-inl.h"

namespace thimble::kernels::internal {

const RoundOps round_neon{Isa::neon, range_of, round_numbers};

}  // namespace thimble::kernels::internal
