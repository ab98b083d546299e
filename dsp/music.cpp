#include "dsp/music.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "dsp/hermitian.h"

namespace thimble::dsp {

Music::Music(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, MusicOptions options)
    : DirectionFinder(std::move(array), rate, fft_size, std::move(grid), options.band),
      options_(options),
      bin_map_(grid_.size()) {
  const std::size_t n = array_.size(), bins = band_bins();
  if (options.sources < 1 || options.sources >= n)
    fail(ErrorKind::bad_input, "MUSIC of {} sources with {} microphones: 1 to {} were wanted", options.sources, n,
         n - 1);
  constexpr std::size_t kMaxTable = std::size_t{1} << 27;
  if (bins * grid_.size() * n > kMaxTable)
    fail(ErrorKind::unsupported,
         "MUSIC of {} microphones, {} bins and {} directions needs a table of {} MB; take a coarser grid or shorter "
         "frames",
         n, bins, grid_.size(), bins * grid_.size() * n * 16 / 1'000'000);
  covariance_.resize(bins * n * n);
  steering_.resize(bins * grid_.size() * n);
  for (std::size_t k = 0; k < bins; ++k)
    for (std::size_t g = 0; g < grid_.size(); ++g)
      steering_vector(array_, grid_[g], frequency(k), std::span(steering_).subspan((k * grid_.size() + g) * n, n),
                      options.band.speed);
}

void Music::clear() { std::fill(covariance_.begin(), covariance_.end(), Complex{}); }

void Music::add_frame(const Spectrogram& spectra, std::size_t frame) {
  const std::size_t n = array_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto a = spectra.frame(i, frame).subspan(first_bin(), band_bins());
    for (std::size_t j = 0; j <= i; ++j) {  // the lower triangle is enough
      const auto b = spectra.frame(j, frame).subspan(first_bin(), band_bins());
      for (std::size_t k = 0; k < band_bins(); ++k) covariance_[(k * n + i) * n + j] += a[k] * std::conj(b[k]);
    }
  }
}

void Music::fill_map(std::span<double> map) {
  const std::size_t n = array_.size(), bins = band_bins();
  const double least = 1e-12 * static_cast<double>(n);  // a noiseless source would divide by zero
  std::fill(map.begin(), map.end(), 0.0);
  for (std::size_t k = 0; k < bins; ++k) {
    const HermitianEigen eigen = hermitian_eigen(std::span(covariance_).subspan(k * n * n, n * n), n);
    double most = 0;
    for (std::size_t g = 0; g < grid_.size(); ++g) {
      const Complex* a = steering_.data() + (k * grid_.size() + g) * n;
      double outside = static_cast<double>(n);
      for (std::size_t s = n - options_.sources; s < n; ++s) {
        Complex inner = 0;
        for (std::size_t m = 0; m < n; ++m) inner += std::conj(eigen.vectors[s * n + m]) * a[m];
        outside -= std::norm(inner);
      }
      bin_map_[g] = 1 / std::max(outside, least);
      most = std::max(most, bin_map_[g]);
    }
    const double scale = 1 / (static_cast<double>(bins) * (options_.normalised ? most : 1));
    for (std::size_t g = 0; g < grid_.size(); ++g) map[g] += scale * bin_map_[g];
  }
}

}  // namespace thimble::dsp
