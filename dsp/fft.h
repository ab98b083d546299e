// Discrete Fourier transforms of any size: sizes with factors 2, 3, 5 directly (KISS FFT), others by Bluestein's chirp.
// Everything is in double precision. Not here: windows and frames (dsp/stft.h), convolution (dsp/convolve.h).
//
// A plan is immutable and may be used by many threads at once. Scratch is the caller's, one per thread, made once by
// make_scratch(); forward() and inverse() then allocate nothing.
//   const RealFft fft(512);
//   auto scratch = fft.make_scratch();
//   fft.forward(x, spectrum, scratch);  // x: 512 samples, spectrum: 257 bins
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace thimble::dsp {

using Complex = std::complex<double>;

constexpr std::size_t kMaxFftSize = std::size_t{1} << 26;

// The least size >= n with no other prime factors than 2, 3, 5.
std::size_t good_fft_size(std::size_t n);

// X_k = sum_t x_t exp(-2 pi i k t / n); inverse() divides by n. `in` and `out` hold size() numbers and must not
// overlap.
class ComplexFft {
 public:
  explicit ComplexFft(std::size_t size);  // 1..kMaxFftSize
  ~ComplexFft();
  ComplexFft(ComplexFft&&) noexcept;
  ComplexFft& operator=(ComplexFft&&) noexcept;

  std::size_t size() const { return size_; }
  std::size_t scratch_size() const;
  std::vector<Complex> make_scratch() const { return std::vector<Complex>(scratch_size()); }

  void forward(std::span<const Complex> in, std::span<Complex> out, std::span<Complex> scratch) const;
  void inverse(std::span<const Complex> in, std::span<Complex> out, std::span<Complex> scratch) const;

 private:
  struct Impl;
  std::size_t size_;
  std::unique_ptr<const Impl> impl_;
};

// Of a real signal: bins 0..size/2 (the others are their conjugates). inverse() takes the imaginary parts of bin 0, and
// of bin size/2 when size is even, as zero.
class RealFft {
 public:
  explicit RealFft(std::size_t size);  // 1..kMaxFftSize

  std::size_t size() const { return size_; }
  std::size_t bins() const { return size_ / 2 + 1; }
  std::size_t scratch_size() const;
  std::vector<Complex> make_scratch() const { return std::vector<Complex>(scratch_size()); }

  void forward(std::span<const double> in, std::span<Complex> out, std::span<Complex> scratch) const;
  void inverse(std::span<const Complex> in, std::span<double> out, std::span<Complex> scratch) const;

 private:
  std::size_t size_;
  ComplexFft half_;               // of size/2 when size is even, else of size
  std::vector<Complex> twiddle_;  // exp(-2 pi i k / size), k = 0..size/4, even sizes only
};

// For one-off use: these make a plan each time. rfft pads with zeros or cuts to `size`; 0 means the signal's own
// length.
std::vector<Complex> rfft(std::span<const double> x, std::size_t size = 0);
std::vector<double> irfft(std::span<const Complex> bins, std::size_t size);

}  // namespace thimble::dsp
