// Image sources for AVX-512.
#include "dsp/room/kernel_generic.h"

namespace thimble::dsp::room {

constexpr ImageKernels images_avx512 = {Isa::avx512, "images_avx512", finish, place};

}  // namespace thimble::dsp::room
