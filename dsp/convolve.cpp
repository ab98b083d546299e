#include "dsp/convolve.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::dsp {
namespace {

constexpr std::size_t kDirectWork = 1 << 14;  // multiplications under which two transforms do not pay

// Blocks about three times as long as the response waste little on either the overlap or the transform.
std::size_t block_fft_size(std::size_t length) { return good_fft_size(std::max<std::size_t>(4 * length, 256)); }

}  // namespace

std::vector<double> convolve(std::span<const double> x, std::span<const double> h) {
  if (x.empty() || h.empty()) return {};
  if (x.size() < h.size()) std::swap(x, h);
  std::vector<double> y(x.size() + h.size() - 1);
  if (h.size() <= 16 || x.size() * h.size() <= kDirectWork) {
    for (std::size_t j = 0; j < h.size(); ++j)
      for (std::size_t t = 0; t < x.size(); ++t) y[t + j] += h[j] * x[t];
    return y;
  }
  Convolver(h).add(x, y);
  return y;
}

Convolver::Convolver(std::span<const double> impulse_response)
    : length_(impulse_response.size()), fft_(block_fft_size(length_)) {
  if (length_ == 0) fail(ErrorKind::bad_input, "an impulse response without samples cannot be convolved with");
  response_.resize(fft_.bins());
  spectrum_.resize(fft_.bins());
  scratch_ = fft_.make_scratch();
  block_.resize(fft_.size());
  std::copy(impulse_response.begin(), impulse_response.end(), block_.begin());
  fft_.forward(block_, response_, scratch_);
}

void Convolver::add(std::span<const double> x, std::span<double> out) {
  const std::size_t step = fft_.size() - length_ + 1;
  for (std::size_t at = 0; at < std::min(x.size(), out.size()); at += step) {
    const std::size_t taken = std::min(step, x.size() - at);
    std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(at), taken, block_.begin());
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(taken), block_.end(), 0.0);
    fft_.forward(block_, spectrum_, scratch_);
    for (std::size_t k = 0; k < spectrum_.size(); ++k) spectrum_[k] *= response_[k];
    fft_.inverse(spectrum_, block_, scratch_);
    const std::size_t given = std::min(taken + length_ - 1, out.size() - at);
    for (std::size_t t = 0; t < given; ++t) out[at + t] += block_[t];
  }
}

}  // namespace thimble::dsp
