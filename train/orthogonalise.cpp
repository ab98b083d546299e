#include "train/orthogonalise.h"

namespace thimble::train {
namespace {

constexpr int kSteps = 5;
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;

}  // namespace

at::Tensor orthogonalise(const at::Tensor& g) {
  const at::NoGradGuard guard;
  const at::Tensor rows = g.reshape({g.size(0), -1});
  // The products below are square in the first dimension: the smaller one.
  const bool tall = rows.size(0) > rows.size(1);
  const at::Tensor wide = tall ? rows.t() : rows;
  at::Tensor x = (wide / (wide.norm() + 1e-12)).to(at::kBFloat16).contiguous();
  for (int i = 0; i < kSteps; ++i) {
    const at::Tensor square = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(square, square, square, kB, kC), x, kA, 1);
  }
  return (tall ? x.t() : x).to(at::kFloat).reshape(g.sizes());
}

}  // namespace thimble::train
