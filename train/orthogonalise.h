// The matrix step of the Muon optimiser (Jordan et al. 2024): a matrix whose singular values are all near one and whose
// singular vectors are the given one's, by Newton and Schulz's iteration. Includes LibTorch.
#pragma once

#include "train/torch.h"

namespace thimble::train {

// g: (O, ...) of at least two dimensions, f32, seen as a matrix of O rows. Five steps of the quintic iteration of the
// paper leave singular values between about 0.7 and 1.2 where they were above a thousandth of the matrix's norm.
// Products are bf16, sums f32. Same shape as `g`; zeros stay zeros.
at::Tensor orthogonalise(const at::Tensor& g);

}  // namespace thimble::train
