#include "dsp/room/join.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace thimble::dsp::room {

std::size_t BandJoin::fft_size(std::size_t length) {
  std::size_t n = 1;
  while (n < 2 * length) n *= 2;
  return n;
}

BandJoin::BandJoin(std::size_t length, const BandGrid& grid) : fft_(fft_size(length)) {
  for (std::size_t b = 0; b < grid.size(); ++b) weights_.push_back(grid.weights(b, fft_.size()));
}

BandJoin::Scratch BandJoin::make_scratch() const {
  return {std::vector<double>(fft_.size()), std::vector<Complex>(fft_.bins()), std::vector<Complex>(fft_.bins()),
          fft_.make_scratch()};
}

void BandJoin::run(const float* bands, std::size_t length, std::span<double> out, Scratch& s) const noexcept {
  std::fill(s.sum.begin(), s.sum.end(), Complex{});
  for (std::size_t b = 0; b < weights_.size(); ++b) {
    std::copy_n(bands + b * length, length, s.signal.begin());
    std::fill(s.signal.begin() + static_cast<std::ptrdiff_t>(length), s.signal.end(), 0.0);
    fft_.forward(s.signal, s.bins, s.work);
    const BandWeights& w = weights_[b];
    for (std::size_t k = 0; k < w.values.size(); ++k) s.sum[w.first + k] += w.values[k] * s.bins[w.first + k];
  }
  fft_.inverse(s.sum, s.signal, s.work);
  std::copy_n(s.signal.begin(), length, out.begin());
}

void high_pass(std::span<double> h, double edge, int rate) noexcept {
  constexpr int kEnds = 9;
  const double k = std::tan(std::numbers::pi * edge / rate), scale = 1 / (1 + std::numbers::sqrt2 * k + k * k);
  const double a1 = 2 * (k * k - 1) * scale, a2 = (1 - std::numbers::sqrt2 * k + k * k) * scale;
  const auto last = static_cast<std::ptrdiff_t>(h.size()) - 1;
  double head[kEnds], tail[kEnds];
  for (int i = 0; i < kEnds; ++i) {
    head[i] = 2 * h[0] - h[static_cast<std::size_t>(kEnds - i)];
    tail[i] = 2 * h[static_cast<std::size_t>(last)] - h[static_cast<std::size_t>(last - 1 - i)];
  }
  double s1 = 0, s2 = 0;
  const auto start = [&](double x) {
    s2 = scale * x;
    s1 = -s2;
  };
  const auto step = [&](double& x) {
    const double y = scale * x + s1;
    s1 = -2 * scale * x - a1 * y + s2;
    s2 = scale * x - a2 * y;
    x = y;
  };
  start(head[0]);
  for (double& x : head) step(x);
  for (double& x : h) step(x);
  for (double& x : tail) step(x);
  start(tail[kEnds - 1]);
  for (int i = kEnds; i-- > 0;) step(tail[i]);
  for (std::size_t i = h.size(); i-- > 0;) step(h[i]);
}

}  // namespace thimble::dsp::room
