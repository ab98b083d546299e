#include "metrics/distribution.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::metrics {
namespace {

using Matrix = Eigen::MatrixXd;

void check_fit(const Features& a, const Features& b, std::int64_t least) {
  if (a.width != b.width || a.width < 1)
    fail(ErrorKind::bad_input, "feature widths differ: {} and {}", a.width, b.width);
  if (a.count < least || b.count < least) {
    fail(ErrorKind::bad_input, "at least {} vectors on each side were wanted, {} and {} came", least, a.count, b.count);
  }
}

Matrix to_matrix(const Features& f) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const RowMajor>(f.values.data(), f.count, f.width).cast<double>();
}

// The first n entries of a shuffled 0..count-1.
std::vector<Eigen::Index> draw(std::int64_t count, std::int64_t n, Rng& rng) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    std::swap(order[i], order[i + rng.below(static_cast<std::uint64_t>(order.size() - i))]);
  }
  order.resize(static_cast<std::size_t>(n));
  return order;
}

Matrix covariance(const Matrix& x, const Eigen::RowVectorXd& mean) {
  const Matrix centred = x.rowwise() - mean;
  return centred.transpose() * centred / static_cast<double>(std::max<Eigen::Index>(1, x.rows() - 1));
}

double frechet_of(const Matrix& a, const Matrix& b) {
  const Eigen::RowVectorXd ma = a.colwise().mean(), mb = b.colwise().mean();
  const Matrix ca = covariance(a, ma), cb = covariance(b, mb);
  // tr sqrt(Ca Cb) through the symmetric sqrt(Ca) Cb sqrt(Ca), which has the same eigenvalues.
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(ca);
  const Matrix root = solver.eigenvectors() * solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal() *
                      solver.eigenvectors().transpose();
  const Eigen::SelfAdjointEigenSolver<Matrix> product(root * cb * root, Eigen::EigenvaluesOnly);
  return (ma - mb).squaredNorm() + ca.trace() + cb.trace() - 2 * product.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
}

Matrix principal_axes(const Matrix& reference, int axes) {
  const auto wanted = axes <= 0 ? reference.cols() : std::min<Eigen::Index>(axes, reference.cols());
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance(reference, reference.colwise().mean()));
  return solver.eigenvectors().rightCols(wanted);
}

}  // namespace

KidResult kid(const Features& sample, const Features& reference, int draws, int draw_size, std::uint64_t seed) {
  check_fit(sample, reference, 2);
  const auto n = static_cast<Eigen::Index>(std::min<std::int64_t>({draw_size, sample.count, reference.count}));
  Matrix a = to_matrix(sample), b = to_matrix(reference);
  const double rms = std::sqrt(b.squaredNorm() / static_cast<double>(b.size()));
  a /= rms;
  b /= rms;
  const double width = static_cast<double>(reference.width);
  const auto kernel = [&](const Matrix& x, const Matrix& y) -> Matrix {
    return ((x * y.transpose()).array() / width + 1).cube().matrix();
  };
  Rng rng(seed);
  std::vector<double> values;
  for (int i = 0; i < draws; ++i) {
    const Matrix x = a(draw(sample.count, n, rng), Eigen::all), y = b(draw(reference.count, n, rng), Eigen::all);
    const Matrix xx = kernel(x, x), yy = kernel(y, y), xy = kernel(x, y);
    const double pairs = static_cast<double>(n) * static_cast<double>(n - 1);
    values.push_back((xx.sum() - xx.trace()) / pairs + (yy.sum() - yy.trace()) / pairs - 2 * xy.mean());
  }
  KidResult r{std::accumulate(values.begin(), values.end(), 0.0) / draws, 0, draws, static_cast<int>(n)};
  for (double v : values) r.standard_deviation += (v - r.mean) * (v - r.mean);
  r.standard_deviation = std::sqrt(r.standard_deviation / std::max(1, draws - 1));
  return r;
}

double frechet(const Features& sample, const Features& reference, int axes) {
  check_fit(sample, reference, 2);
  const Matrix b = to_matrix(reference), basis = principal_axes(b, axes);
  return frechet_of(to_matrix(sample) * basis, b * basis);
}

double frechet_floor(const Features& reference, int axes, std::uint64_t seed) {
  check_fit(reference, reference, 4);
  const Matrix all = to_matrix(reference), basis = principal_axes(all, axes);
  Rng rng(seed);
  const auto order = draw(reference.count, reference.count, rng);
  const auto half = static_cast<std::ptrdiff_t>(order.size() / 2);
  const std::vector<Eigen::Index> first(order.begin(), order.begin() + half), second(order.begin() + half, order.end());
  return frechet_of(all(first, Eigen::all) * basis, all(second, Eigen::all) * basis);
}

std::vector<std::int64_t> nearest(const Features& sample, const Features& reference) {
  check_fit(sample, reference, 1);
  Matrix a = to_matrix(sample), b = to_matrix(reference);
  const Eigen::RowVectorXd mean = b.colwise().mean();
  a.rowwise() -= mean;
  b.rowwise() -= mean;
  b.rowwise().normalize();
  std::vector<std::int64_t> out;
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    Eigen::Index best = 0;
    (b * a.row(i).transpose()).maxCoeff(&best);
    out.push_back(best);
  }
  return out;
}

}  // namespace thimble::metrics
