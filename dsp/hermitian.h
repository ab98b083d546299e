// Small complex Hermitian matrices of microphone arrays: eigenvectors and linear systems. Row-major (n, n).
#pragma once

#include <span>
#include <vector>

#include "dsp/fft.h"

namespace thimble::dsp {

struct HermitianEigen {
  std::vector<double> values;    // ascending
  std::vector<Complex> vectors;  // (n, n), row i belongs to values[i], length 1
};
// Only the lower triangle is read. bad_input for NaN.
HermitianEigen hermitian_eigen(std::span<const Complex> matrix, std::size_t n);

// x with matrix x = b, of a positive definite matrix; bad_input where it is not one.
std::vector<Complex> hermitian_solve(std::span<const Complex> matrix, std::span<const Complex> b);

}  // namespace thimble::dsp
