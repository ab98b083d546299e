#include "metrics/image_quality.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace thimble::metrics {
namespace {

void check_same_size(const media::Image& a, const media::Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels || a.pixels.empty()) {
    fail(ErrorKind::bad_input, "pictures of one size were wanted, {}x{}x{} and {}x{}x{} came", a.width, a.height,
         a.channels, b.width, b.height, b.channels);
  }
}

constexpr int kWindow = 11;

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> w{};
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) {
    const double d = i - kWindow / 2;
    w[static_cast<std::size_t>(i)] = std::exp(-d * d / (2 * 1.5 * 1.5));
    sum += w[static_cast<std::size_t>(i)];
  }
  for (double& v : w) v /= sum;
  return w;
}

struct Plane {
  int width = 0, height = 0;
  std::vector<double> values;
  double at(int x, int y) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
  }
};

// Separable filter over the valid region: the result is 10 smaller each way.
Plane filtered(const Plane& in) {
  static const auto w = gaussian();
  Plane rows{in.width - kWindow + 1, in.height, {}};
  for (int y = 0; y < rows.height; ++y) {
    for (int x = 0; x < rows.width; ++x) {
      double sum = 0;
      for (int k = 0; k < kWindow; ++k) sum += w[static_cast<std::size_t>(k)] * in.at(x + k, y);
      rows.values.push_back(sum);
    }
  }
  Plane out{rows.width, in.height - kWindow + 1, {}};
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      double sum = 0;
      for (int k = 0; k < kWindow; ++k) sum += w[static_cast<std::size_t>(k)] * rows.at(x, y + k);
      out.values.push_back(sum);
    }
  }
  return out;
}

template <class F>
Plane plane(const media::Image& a, int channel, F&& f) {
  Plane p{a.width, a.height, {}};
  const auto n = static_cast<std::size_t>(a.width) * static_cast<std::size_t>(a.height);
  p.values.reserve(n);
  for (std::size_t i = 0; i < n; ++i)
    p.values.push_back(f(i * static_cast<std::size_t>(a.channels) + static_cast<std::size_t>(channel)));
  return p;
}

}  // namespace

double psnr(const media::Image& a, const media::Image& b) {
  check_same_size(a, b);
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double d = static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]);
    sum += d * d;
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / sum);
}

double ssim(const media::Image& a, const media::Image& b) {
  check_same_size(a, b);
  if (a.width < kWindow || a.height < kWindow) fail(ErrorKind::bad_input, "SSIM takes pictures of at least 11x11");
  constexpr double kC1 = 0.01 * 255 * 0.01 * 255, kC2 = 0.03 * 255 * 0.03 * 255;
  double total = 0;
  for (int c = 0; c < a.channels; ++c) {
    const auto av = [&](std::size_t i) { return static_cast<double>(a.pixels[i]); };
    const auto bv = [&](std::size_t i) { return static_cast<double>(b.pixels[i]); };
    const Plane ma = filtered(plane(a, c, av)), mb = filtered(plane(a, c, bv));
    const Plane aa = filtered(plane(a, c, [&](std::size_t i) { return av(i) * av(i); }));
    const Plane bb = filtered(plane(a, c, [&](std::size_t i) { return bv(i) * bv(i); }));
    const Plane ab = filtered(plane(a, c, [&](std::size_t i) { return av(i) * bv(i); }));
    double sum = 0;
    for (std::size_t i = 0; i < ma.values.size(); ++i) {
      const double x = ma.values[i], y = mb.values[i];
      const double va = aa.values[i] - x * x, vb = bb.values[i] - y * y, cov = ab.values[i] - x * y;
      sum += (2 * x * y + kC1) * (2 * cov + kC2) / ((x * x + y * y + kC1) * (va + vb + kC2));
    }
    total += sum / static_cast<double>(ma.values.size());
  }
  return total / a.channels;
}

}  // namespace thimble::metrics
