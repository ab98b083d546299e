#include "dsp/hermitian.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

#include "base/error.h"

namespace thimble::dsp {
namespace {

using Matrix = Eigen::Matrix<Complex, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

}  // namespace

HermitianEigen hermitian_eigen(std::span<const Complex> matrix, std::size_t n) {
  check(matrix.size() == n * n && n > 0, "a Hermitian matrix is square");
  const auto side = static_cast<Eigen::Index>(n);
  const Eigen::Map<const Matrix> m(matrix.data(), side, side);
  if (!m.allFinite()) fail(ErrorKind::bad_input, "a spatial covariance with NaN or infinite values");
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(m);
  if (solver.info() != Eigen::Success) fail(ErrorKind::bad_input, "a spatial covariance without eigenvectors");
  HermitianEigen out{std::vector<double>(n), std::vector<Complex>(n * n)};
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    out.values[i] = solver.eigenvalues()[row];
    for (std::size_t j = 0; j < n; ++j)
      out.vectors[i * n + j] = solver.eigenvectors()(static_cast<Eigen::Index>(j), row);
  }
  return out;
}

std::vector<Complex> hermitian_solve(std::span<const Complex> matrix, std::span<const Complex> b) {
  const auto side = static_cast<Eigen::Index>(b.size());
  check(matrix.size() == b.size() * b.size(), "a Hermitian matrix is square");
  const Eigen::LLT<Matrix> factors(Eigen::Map<const Matrix>(matrix.data(), side, side));
  if (factors.info() != Eigen::Success)
    fail(ErrorKind::bad_input, "a spatial covariance that is not positive definite; add loading");
  std::vector<Complex> x(b.size());
  Eigen::Map<Eigen::VectorXcd>(x.data(), side) = factors.solve(Eigen::Map<const Eigen::VectorXcd>(b.data(), side));
  return x;
}

}  // namespace thimble::dsp
