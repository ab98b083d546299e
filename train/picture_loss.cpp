#include "train/picture_loss.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "train/rows.h"

namespace thimble::train {
namespace {

constexpr int kLevels = 3;

float sign(float v) { return static_cast<float>(v > 0) - static_cast<float>(v < 0); }

struct Sums {
  double absolute = 0, squared = 0, over_absolute = 0, over_squared = 0, edge[kLevels] = {};
};

// One row of pixels: the pointwise terms. scale4 = 1 / (4 N), scale3 = 1 / (3 N), N the pixels of the batch.
void point_terms(const float* e, const float* ground, float square, float scale4, float scale3, float* gradient,
                 std::int64_t pixels, Sums& sums) {
  float absolute = 0, squared = 0, over_absolute = 0, over_squared = 0;
  for (std::int64_t i = 0; i < pixels; ++i, e += 4, gradient += 4) {
    for (int k = 0; k < 4; ++k) {
      absolute += std::fabs(e[k]);
      squared += e[k] * e[k];
      gradient[k] = (sign(e[k]) + 2 * square * e[k]) * scale4;
    }
    for (int k = 0; k < 3; ++k) {
      const float c = e[k] - e[3] * ground[k];
      over_absolute += std::fabs(c);
      over_squared += c * c;
      const float g = (sign(c) + 2 * square * c) * scale3;
      gradient[k] += g;
      gradient[3] -= g * ground[k];
    }
  }
  sums.absolute += absolute;
  sums.squared += squared;
  sums.over_absolute += over_absolute;
  sums.over_squared += over_squared;
}

// Adds the gradient of scale * sum |b - a| to both; returns sum |b - a|.
THIMBLE_CLONES float differences(const float* a, const float* b, float scale, float* da, float* db, std::int64_t n) {
  float sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const float d = b[i] - a[i];
    sum += std::fabs(d);
    da[i] -= scale * sign(d);
    db[i] += scale * sign(d);
  }
  return sum;
}

void pool(const std::vector<float>& from, std::vector<float>& to, std::int64_t side) {
  const std::int64_t row = side * 4;
  for (std::int64_t i = 0; i < side / 2; ++i) {
    for (std::int64_t j = 0; j < side / 2; ++j) {
      for (std::int64_t k = 0; k < 4; ++k) {
        const float* p = from.data() + 2 * i * row + 8 * j + k;
        to[static_cast<std::size_t>((i * (side / 2) + j) * 4 + k)] = 0.25f * (p[0] + p[4] + p[row] + p[row + 4]);
      }
    }
  }
}

void add_unpooled(const std::vector<float>& coarse, float* fine, std::int64_t side) {
  for (std::int64_t i = 0; i < side; ++i) {
    for (std::int64_t j = 0; j < side; ++j) {
      const float* c = coarse.data() + ((i / 2) * (side / 2) + j / 2) * 4;
      for (std::int64_t k = 0; k < 4; ++k) fine[(i * side + j) * 4 + k] += 0.25f * c[k];
    }
  }
}

void edge_terms(const float* e, std::int64_t side, float scale, float* gradient, double& sum) {
  for (std::int64_t i = 0; i < side; ++i) {
    const float* row = e + i * side * 4;
    float* g = gradient + i * side * 4;
    sum += differences(row, row + 4, scale, g, g + 4, (side - 1) * 4);
    if (i + 1 < side) sum += differences(row, row + side * 4, scale, g, g + side * 4, side * 4);
  }
}

Sums one_picture(const PictureLossOptions& o, std::int64_t side, double pixels, const float* output,
                 const float* target, const float* ground, float* gradient) {
  Sums sums;
  std::vector<float> error[kLevels], slope[kLevels];
  for (int level = 0; level < kLevels; ++level) {
    const std::int64_t s = side >> level;
    error[level].resize(static_cast<std::size_t>(s * s * 4));
    if (level > 0) slope[level].assign(error[level].size(), 0.0f);
  }
  for (std::size_t i = 0; i < error[0].size(); ++i) error[0][i] = output[i] - target[i];
  const auto scale4 = static_cast<float>(1 / (4 * pixels)), scale3 = static_cast<float>(1 / (3 * pixels));
  for (std::int64_t i = 0; i < side; ++i) {
    point_terms(error[0].data() + i * side * 4, ground, o.square, scale4, scale3, gradient + i * side * 4, side, sums);
  }
  for (int level = 1; level < kLevels; ++level) pool(error[level - 1], error[level], side >> (level - 1));
  for (int level = kLevels - 1; level >= 0; --level) {
    const float scale = o.edge * scale4 * static_cast<float>(1 << (2 * level));
    float* g = level == 0 ? gradient : slope[level].data();
    edge_terms(error[level].data(), side >> level, scale, g, sums.edge[level]);
    if (level + 1 < kLevels) add_unpooled(slope[level + 1], g, side >> level);
  }
  return sums;
}

}  // namespace

PictureLoss picture_loss(const PictureLossOptions& options, std::int64_t batch, std::int64_t side,
                         std::span<const float> output, std::span<const float> target, std::span<const float> grounds,
                         std::span<float> gradient) {
  const auto size = static_cast<std::size_t>(batch * side * side * 4);
  check(side % 4 == 0 && output.size() == size && target.size() == size && gradient.size() == size &&
            grounds.size() == static_cast<std::size_t>(batch * 3),
        "picture_loss: sizes");
  const double pixels = static_cast<double>(batch * side * side);
  std::vector<Sums> sums(static_cast<std::size_t>(batch));
  at::parallel_for(0, batch, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t at = b * side * side * 4;
      sums[b] = one_picture(options, side, pixels, output.data() + at, target.data() + at, grounds.data() + b * 3,
                            gradient.data() + at);
    }
  });
  PictureLoss loss;
  double over = 0;
  for (const Sums& s : sums) {
    loss.absolute += s.absolute / (4 * pixels);
    loss.squared += s.squared / (4 * pixels);
    over += (s.over_absolute + options.square * s.over_squared) / (3 * pixels);
    for (int level = 0; level < kLevels; ++level) loss.edge += s.edge[level] * (1 << (2 * level)) / (4 * pixels);
  }
  loss.total = loss.absolute + options.square * loss.squared + over + options.edge * loss.edge;
  return loss;
}

}  // namespace thimble::train
