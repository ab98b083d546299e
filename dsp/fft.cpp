// KISS FFT's templates do sizes 2^a 3^b 5^c; for other factors they keep a shared buffer and cost O(p) a sample, so
// those sizes go through Bluestein's algorithm (1970): a DFT as a convolution with a chirp.
#include "dsp/fft.h"

#include <kissfft/kissfft.hh>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <utility>

#include "base/error.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;

bool is_smooth(std::size_t n) {
  for (const std::size_t p : {2, 3, 5})
    while (n % p == 0) n /= p;
  return n == 1;
}

void need(bool ok, const char* what, std::size_t size, std::size_t in, std::size_t out, std::size_t scratch) {
  if (!ok) {
    fail(ErrorKind::bad_input, "{} of size {} was given {} numbers in, {} out and {} of scratch", what, size, in, out,
         scratch);
  }
}

}  // namespace

std::size_t good_fft_size(std::size_t n) {
  if (n > kMaxFftSize)
    fail(ErrorKind::bad_input, "a Fourier transform of size {} was asked for, the limit is {}", n, kMaxFftSize);
  while (n == 0 || !is_smooth(n)) ++n;
  return n;
}

struct ComplexFft::Impl {
  struct Direct {
    kissfft<double> forward, inverse;
  };
  std::optional<Direct> direct;  // smooth sizes of two or more
  // Bluestein: chirp_t = exp(i pi t^2 / size), and the transform of the chirp laid around a circle of `circle` points.
  std::size_t circle = 0;
  std::vector<Complex> chirp, chirp_spectrum;

  explicit Impl(std::size_t n) {
    if (n == 1) return;
    if (is_smooth(n)) {
      direct.emplace(Direct{kissfft<double>(n, false), kissfft<double>(n, true)});
      return;
    }
    circle = good_fft_size(2 * n - 1);
    direct.emplace(Direct{kissfft<double>(circle, false), kissfft<double>(circle, true)});
    chirp.resize(n);
    std::vector<Complex> ring(circle);
    for (std::size_t t = 0; t < n; ++t) {
      // t^2 modulo 2n keeps the angle small, and so exact, for any t.
      chirp[t] = std::polar(1.0, kPi * static_cast<double>(t * t % (2 * n)) / static_cast<double>(n));
      ring[t] = chirp[t];
      if (t > 0) ring[circle - t] = chirp[t];
    }
    chirp_spectrum.resize(circle);
    direct->forward.transform(ring.data(), chirp_spectrum.data());
  }

  // The inverse is the conjugate of the transform of the conjugate.
  template <bool kInverse>
  void bluestein(const Complex* in, Complex* out, Complex* scratch) const {
    const std::size_t n = chirp.size();
    Complex* a = scratch;
    Complex* b = scratch + circle;
    for (std::size_t t = 0; t < n; ++t) a[t] = (kInverse ? std::conj(in[t]) : in[t]) * std::conj(chirp[t]);
    std::fill(a + n, a + circle, Complex{});
    direct->forward.transform(a, b);
    for (std::size_t k = 0; k < circle; ++k) b[k] *= chirp_spectrum[k];
    direct->inverse.transform(b, a);
    const double scale = 1.0 / static_cast<double>(circle) / (kInverse ? static_cast<double>(n) : 1.0);
    for (std::size_t k = 0; k < n; ++k) {
      const Complex v = a[k] * std::conj(chirp[k]) * scale;
      out[k] = kInverse ? std::conj(v) : v;
    }
  }
};

ComplexFft::ComplexFft(std::size_t size) : size_(size) {
  if (size < 1 || size > kMaxFftSize)
    fail(ErrorKind::bad_input, "a Fourier transform has 1 to {} points, {} were asked for", kMaxFftSize, size);
  impl_ = std::make_unique<const Impl>(size);
}

ComplexFft::~ComplexFft() = default;
ComplexFft::ComplexFft(ComplexFft&&) noexcept = default;
ComplexFft& ComplexFft::operator=(ComplexFft&&) noexcept = default;

std::size_t ComplexFft::scratch_size() const { return 2 * impl_->circle; }

void ComplexFft::forward(std::span<const Complex> in, std::span<Complex> out, std::span<Complex> scratch) const {
  need(in.size() == size_ && out.size() == size_ && scratch.size() >= scratch_size(), "a complex Fourier transform",
       size_, in.size(), out.size(), scratch.size());
  if (impl_->circle > 0) return impl_->bluestein<false>(in.data(), out.data(), scratch.data());
  if (!impl_->direct) return void(out[0] = in[0]);
  impl_->direct->forward.transform(in.data(), out.data());
}

void ComplexFft::inverse(std::span<const Complex> in, std::span<Complex> out, std::span<Complex> scratch) const {
  need(in.size() == size_ && out.size() == size_ && scratch.size() >= scratch_size(),
       "an inverse complex Fourier transform", size_, in.size(), out.size(), scratch.size());
  if (impl_->circle > 0) return impl_->bluestein<true>(in.data(), out.data(), scratch.data());
  if (!impl_->direct) return void(out[0] = in[0]);
  impl_->direct->inverse.transform(in.data(), out.data());
  const double scale = 1.0 / static_cast<double>(size_);
  for (Complex& v : out) v *= scale;
}

RealFft::RealFft(std::size_t size) : size_(size), half_(size % 2 == 0 && size > 0 ? size / 2 : size) {
  if (size % 2 != 0) return;
  twiddle_.resize(size / 4 + 1);
  for (std::size_t k = 0; k < twiddle_.size(); ++k)
    twiddle_[k] = std::polar(1.0, -2 * kPi * static_cast<double>(k) / static_cast<double>(size));
}

// Two buffers of the half's size before the half's own scratch: what goes into it and what comes out.
std::size_t RealFft::scratch_size() const { return 2 * half_.size() + half_.scratch_size(); }

void RealFft::forward(std::span<const double> in, std::span<Complex> out, std::span<Complex> scratch) const {
  need(in.size() == size_ && out.size() == bins() && scratch.size() >= scratch_size(), "a real Fourier transform",
       size_, in.size(), out.size(), scratch.size());
  const std::size_t h = half_.size();
  const auto packed = scratch.first(h), rest = scratch.subspan(2 * h);
  if (size_ % 2 != 0) {
    const auto all = scratch.subspan(h, h);
    for (std::size_t t = 0; t < h; ++t) packed[t] = in[t];
    half_.forward(packed, all, rest);
    std::copy_n(all.begin(), bins(), out.begin());
    return;
  }
  // Even samples as real parts, odd ones as imaginary parts; their two transforms are told apart by symmetry.
  for (std::size_t t = 0; t < h; ++t) packed[t] = {in[2 * t], in[2 * t + 1]};
  half_.forward(packed, out.first(h), rest);
  const Complex first = out[0];
  out[0] = first.real() + first.imag();
  out[h] = first.real() - first.imag();
  for (std::size_t k = 1; 2 * k <= h; ++k) {
    const Complex a = out[k], b = std::conj(out[h - k]);
    const Complex even = 0.5 * (a + b), odd = twiddle_[k] * Complex{0.5 * (a - b).imag(), -0.5 * (a - b).real()};
    out[k] = even + odd;
    out[h - k] = std::conj(even - odd);
  }
}

void RealFft::inverse(std::span<const Complex> in, std::span<double> out, std::span<Complex> scratch) const {
  need(in.size() == bins() && out.size() == size_ && scratch.size() >= scratch_size(),
       "an inverse real Fourier transform", size_, in.size(), out.size(), scratch.size());
  const std::size_t h = half_.size();
  const auto packed = scratch.first(h), result = scratch.subspan(h, h), rest = scratch.subspan(2 * h);
  if (size_ % 2 != 0) {
    packed[0] = in[0].real();
    for (std::size_t k = 1; k < bins(); ++k) {
      packed[k] = in[k];
      packed[h - k] = std::conj(in[k]);
    }
    half_.inverse(packed, result, rest);
    for (std::size_t t = 0; t < h; ++t) out[t] = result[t].real();
    return;
  }
  packed[0] = {0.5 * (in[0].real() + in[h].real()), 0.5 * (in[0].real() - in[h].real())};
  for (std::size_t k = 1; 2 * k <= h; ++k) {
    const Complex a = in[k], b = std::conj(in[h - k]);
    const Complex even = 0.5 * (a + b), odd = std::conj(twiddle_[k]) * (0.5 * (a - b));
    packed[k] = even + Complex{-odd.imag(), odd.real()};
    packed[h - k] = std::conj(even) + Complex{odd.imag(), odd.real()};
  }
  half_.inverse(packed, result, rest);
  for (std::size_t t = 0; t < h; ++t) {
    out[2 * t] = result[t].real();
    out[2 * t + 1] = result[t].imag();
  }
}

std::vector<Complex> rfft(std::span<const double> x, std::size_t size) {
  if (size == 0) size = x.size();
  const RealFft fft(size);
  std::vector<double> padded(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(std::min(size, x.size())));
  padded.resize(size);
  std::vector<Complex> out(fft.bins()), scratch = fft.make_scratch();
  fft.forward(padded, out, scratch);
  return out;
}

std::vector<double> irfft(std::span<const Complex> bins, std::size_t size) {
  const RealFft fft(size);
  std::vector<double> out(size);
  auto scratch = fft.make_scratch();
  fft.inverse(bins, out, scratch);
  return out;
}

}  // namespace thimble::dsp
