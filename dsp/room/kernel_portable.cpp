// Image sources for any machine: what the compiler makes of its baseline.
#include "dsp/room/kernel_generic.h"

namespace thimble::dsp::room {

constexpr ImageKernels images_portable = {Isa::scalar, "images_portable", finish, place};

}  // namespace thimble::dsp::room
