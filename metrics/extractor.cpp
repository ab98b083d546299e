#include "metrics/extractor.h"

#include <algorithm>
#include <cmath>

#include "formats/ncnn/ncnn.h"
#include "media/transform.h"
#include "models/squeezenet.h"

namespace thimble::metrics {
namespace {

constexpr int kBatch = 8;
constexpr float kMeanBgr[3] = {104, 117, 123};

}  // namespace

SqueezeNetExtractor::SqueezeNetExtractor(graph::Executor& executor, const std::filesystem::path& folder, int size)
    : size_(size),
      weights_(formats::read_ncnn_weights(folder / "squeezenet_v1.1.param", folder / "squeezenet_v1.1.bin")) {
  const auto batched = models::build_squeezenet(kBatch, size);
  weights_.check_covers(batched, folder.string());
  features_ = executor.compile(batched, weights_, {});
  taps_ = executor.compile(models::build_squeezenet_taps(2, size), weights_, {});
}

std::string SqueezeNetExtractor::name() const { return fmt::format("squeezenet-1.1 fire9 mean, {} px", size_); }

std::vector<float> SqueezeNetExtractor::input_of(std::span<const media::Image> images) const {
  std::vector<float> out;
  for (const media::Image& image : images) {
    const media::Image rgb = media::resize(media::composite(image, {255, 255, 255}), size_, size_);
    for (std::size_t i = 0; i < rgb.pixels.size(); i += 3) {
      for (std::size_t c = 0; c < 3; ++c) out.push_back(static_cast<float>(rgb.pixels[i + 2 - c]) - kMeanBgr[c]);
    }
  }
  return out;
}

Features SqueezeNetExtractor::features(std::span<const media::Image> images, const ProgressFn& progress,
                                       const CancelToken* cancel) {
  Features out{static_cast<std::int64_t>(images.size()), 512, {}};
  for (std::size_t at = 0; at < images.size(); at += kBatch) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    const std::size_t n = std::min<std::size_t>(kBatch, images.size() - at);
    std::vector<float> input = input_of(images.subspan(at, n));
    input.resize(static_cast<std::size_t>(kBatch) * static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_) *
                 3);
    const auto result = (*features_)({graph::Tensor::of({kBatch, size_, size_, 3}, std::span<const float>(input))});
    const auto values = result[0].as<float>().first(n * 512);
    out.values.insert(out.values.end(), values.begin(), values.end());
    if (progress) progress(static_cast<std::int64_t>(at + n), static_cast<std::int64_t>(images.size()), "");
  }
  return out;
}

double SqueezeNetExtractor::perceptual_distance(const media::Image& a, const media::Image& b) {
  const media::Image pair[2] = {a, b};
  const std::vector<float> input = input_of(pair);
  const auto taps = (*taps_)({graph::Tensor::of({2, size_, size_, 3}, std::span<const float>(input))});
  double total = 0;
  for (const graph::Tensor& tap : taps) {
    const auto channels = static_cast<std::size_t>(tap.shape()[3]);
    const auto positions = static_cast<std::size_t>(tap.shape()[1] * tap.shape()[2]);
    const auto values = tap.as<float>();
    double sum = 0;
    for (std::size_t p = 0; p < positions; ++p) {
      const auto x = values.subspan(p * channels, channels), y = values.subspan((positions + p) * channels, channels);
      double nx = 1e-20, ny = 1e-20;
      for (std::size_t c = 0; c < channels; ++c) {
        nx += static_cast<double>(x[c]) * x[c];
        ny += static_cast<double>(y[c]) * y[c];
      }
      nx = std::sqrt(nx);
      ny = std::sqrt(ny);
      for (std::size_t c = 0; c < channels; ++c) {
        const double d = x[c] / nx - y[c] / ny;
        sum += d * d;
      }
    }
    total += sum / static_cast<double>(positions);
  }
  return total / static_cast<double>(taps.size());
}

}  // namespace thimble::metrics
