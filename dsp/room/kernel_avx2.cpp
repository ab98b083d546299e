// Image sources for AVX2.
#include "dsp/room/kernel_generic.h"

namespace thimble::dsp::room {

constexpr ImageKernels images_avx2 = {Isa::avx2, "images_avx2", finish, place};

}  // namespace thimble::dsp::room
