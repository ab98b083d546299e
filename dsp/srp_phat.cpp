#include "dsp/srp_phat.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace thimble::dsp {

SrpPhat::SrpPhat(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, FinderBand band)
    : DirectionFinder(std::move(array), rate, fft_size, std::move(grid), band) {
  constexpr double kSame = 1e-9;
  std::vector<Vec3> baselines;
  for (std::size_t i = 0; i < array_.size(); ++i) {
    for (std::size_t j = i + 1; j < array_.size(); ++j) {
      const Vec3 d = array_.mics[i] - array_.mics[j];
      std::size_t b = 0;
      while (b < baselines.size() && norm(baselines[b] - d) > kSame && norm(baselines[b] + d) > kSame) ++b;
      if (b == baselines.size()) baselines.push_back(d);
      const bool opposite = norm(baselines[b] - d) > kSame;
      pairs_.push_back(opposite ? Pair{j, i, b} : Pair{i, j, b});
    }
  }
  baselines_ = baselines.size();
  const std::size_t bins = band_bins(), directions = grid_.size();
  constexpr std::size_t kMaxTable = std::size_t{1} << 29;
  if (baselines_ * bins * 2 * directions > kMaxTable) {
    fail(ErrorKind::unsupported,
         "SRP-PHAT of {} pairs, {} bins and {} directions needs a table of {} MB; take a coarser grid, shorter frames "
         "or fewer microphones",
         baselines_, bins, directions, baselines_ * bins * 8 * directions / 1'000'000);
  }
  sums_.resize(baselines_ * bins);
  whitened_.resize(array_.size() * bins);
  table_.resize(baselines_ * bins * 2 * directions);
  for (std::size_t b = 0; b < baselines_; ++b) {
    for (std::size_t g = 0; g < directions; ++g) {
      const double delay = dot(baselines[b], unit_vector(grid_[g])) / band.speed;  // the second one hears it later
      for (std::size_t k = 0; k < bins; ++k) {
        const double phase = 2 * std::numbers::pi * frequency(k) * delay;
        float* row = table_.data() + (b * bins + k) * 2 * directions;
        row[g] = static_cast<float>(std::cos(phase));
        row[directions + g] = static_cast<float>(std::sin(phase));
      }
    }
  }
}

void SrpPhat::clear() { std::fill(sums_.begin(), sums_.end(), Complex{}); }

void SrpPhat::add_frame(const Spectrogram& spectra, std::size_t frame) {
  constexpr double kNothing = 1e-14;
  const std::size_t bins = band_bins();
  for (std::size_t m = 0; m < array_.size(); ++m) {
    const auto x = spectra.frame(m, frame).subspan(first_bin(), bins);
    for (std::size_t k = 0; k < bins; ++k) {
      const double size = std::sqrt(std::norm(x[k]));
      whitened_[m * bins + k] = size > kNothing ? x[k] / size : Complex{};
    }
  }
  for (const Pair& p : pairs_) {
    const Complex* a = whitened_.data() + p.first * bins;
    const Complex* b = whitened_.data() + p.second * bins;
    Complex* sum = sums_.data() + p.baseline * bins;
    for (std::size_t k = 0; k < bins; ++k) sum[k] += a[k] * std::conj(b[k]);
  }
}

void SrpPhat::fill_map(std::span<double> map) {
  const std::size_t directions = grid_.size();
  std::fill(map.begin(), map.end(), 0.0);
  double* out = map.data();
  const float* row = table_.data();
  for (const Complex sum : sums_) {
    const double re = sum.real(), im = sum.imag();
    for (std::size_t g = 0; g < directions; ++g) out[g] += re * row[g] + im * row[directions + g];
    row += 2 * directions;
  }
  const double scale = 1.0 / static_cast<double>(frames() * band_bins() * pairs_.size());
  for (double& v : map) v *= scale;
}

}  // namespace thimble::dsp
