// AVX2 rounding of pictures.
#include "kernels/conv/round-inl.h"

namespace thimble::kernels::internal {

const RoundOps round_avx2{Isa::avx2, range_of, round_numbers};

}  // namespace thimble::kernels::internal
