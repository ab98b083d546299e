#include "gauge/detect/randomness.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace thimble::gauge {
namespace {

constexpr std::size_t kWindow = 64 << 10, kLeastSize = 1 << 10;
// Five standard deviations (sqrt(2 * 255)) above the mean of a chi-square of 255 degrees: once in millions of files.
constexpr double kMostChiSquare = 255 + 5 * 22.6;
constexpr double kDense = 7.95, kLeastWindow = 7.9;

using Counts = std::array<std::uint64_t, 256>;

Counts count(Bytes bytes) {
  // Four tables, so that runs of one value do not wait for one counter.
  std::array<std::array<std::uint32_t, 256>, 4> part{};
  Counts total{};
  while (!bytes.empty()) {
    const Bytes step = bytes.first(std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    for (std::size_t i = 0; i < step.size(); ++i) ++part[i & 3][std::to_integer<unsigned>(step[i])];
    for (auto& p : part) {
      for (std::size_t v = 0; v < 256; ++v) total[v] += p[v];
      p.fill(0);
    }
    bytes = bytes.subspan(step.size());
  }
  return total;
}

double entropy_of(const Counts& counts, double n) {
  double sum = 0;
  for (const std::uint64_t c : counts) {
    if (c != 0) sum += static_cast<double>(c) * std::log2(static_cast<double>(c));
  }
  return n == 0 ? 0 : std::max(0.0, std::log2(n) - sum / n);
}

}  // namespace

Randomness measure_randomness(Bytes bytes) {
  Randomness r;
  Counts total{};
  r.window_entropy = 8;
  for (std::size_t at = 0; at < bytes.size(); at += kWindow) {
    const Bytes window = bytes.subspan(at, std::min(kWindow, bytes.size() - at));
    const Counts counts = count(window);
    for (std::size_t v = 0; v < 256; ++v) total[v] += counts[v];
    if (window.size() == kWindow) {
      r.window_entropy = std::min(r.window_entropy, entropy_of(counts, static_cast<double>(kWindow)));
    }
  }
  const auto n = static_cast<double>(bytes.size());
  r.entropy = entropy_of(total, n);
  if (bytes.size() < kWindow) r.window_entropy = r.entropy;
  for (const std::uint64_t c : total) {
    const double d = static_cast<double>(c) - n / 256;
    r.chi_square += n == 0 ? 0 : d * d / (n / 256);
  }
  return r;
}

Texture texture_of(const Randomness& r, std::uint64_t size) {
  if (size < kLeastSize) return Texture::too_short;
  // A short sample of random bytes shows less than 8 bits: 255 / (2 n ln 2) less to first order.
  const double shortfall = 255.0 / (2 * static_cast<double>(size) * std::log(2.0));
  const double window_shortfall = std::max(0.0, shortfall - 0.05);
  if (r.entropy < kDense - shortfall || r.window_entropy < kLeastWindow - window_shortfall) return Texture::structured;
  return r.chi_square <= kMostChiSquare ? Texture::random : Texture::dense;
}

std::string to_string(const Randomness& r) {
  return fmt::format("entropy {:.3f} bits a byte, chi-square {:.0f}", r.entropy, r.chi_square);
}

}  // namespace thimble::gauge
