// AVX-512 rounding of pictures.
#include "kernels/conv/round-inl.h"

namespace thimble::kernels::internal {

const RoundOps round_avx512{Isa::avx512, range_of, round_numbers};

}  // namespace thimble::kernels::internal
