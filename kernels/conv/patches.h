// Internal to conv/: rows of the implicit matrix of a convolution, gathered from a channels-last picture.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/gemm/driver.h"

namespace thimble::kernels::internal {

// Row m of the matrix is output pixel m's patch, elements ordered (ky, kx, c). A run is a stretch of the patch that
// lies in one piece in the picture: a whole row of taps where taps are neighbours, else one tap.
struct Patches {
  const std::byte* x;  // at the group's first channel
  ConvShape s;
  std::int64_t x_ld, element, panel_element, channels, OW, pixels;  // pixels = OH * OW
  std::int64_t taps_in_run;
  CopyElements copy;
  int fill = 0;  // every byte of an element outside the picture
};

// Of `channels` channels from pixels x_ld elements of `element` bytes apart.
Patches make_patches(const ConvShape& shape, const void* x, std::int64_t channels, std::int64_t x_ld,
                     std::int64_t element, std::int64_t panel_element, CopyElements copy);

// Elements [k0, k0 + kc) of rows [m0, m0 + rows) to `out`, `stride` bytes apart. As RowSource::gather.
void gather_patches(const void* patches, std::int64_t m0, std::int64_t rows, std::int64_t k0, std::int64_t kc,
                    std::byte* out, std::int64_t stride);

}  // namespace thimble::kernels::internal
