// Distances between two sets of feature vectors. Each says how many vectors it saw, because small samples mislead.
#pragma once

#include <cstdint>
#include <vector>

namespace thimble::metrics {

// Row-major (count, width).
struct Features {
  std::int64_t count = 0, width = 0;
  std::vector<float> values;
};

struct KidResult {
  double mean = 0, standard_deviation = 0;  // over the draws
  int draws = 0, draw_size = 0;
};

// Kernel distance (Binkowski et al. 2018): unbiased MMD^2 with the kernel (x.y/width + 1)^3, the mean of `draws` draws
// of `draw_size` vectors from each set. Vectors are divided by the root mean square of the reference set first, so that
// the figure does not depend on the extractor's scale.
KidResult kid(const Features& sample, const Features& reference, int draws = 50, int draw_size = 200,
              std::uint64_t seed = 1);

// Frechet distance between Gaussians fitted on the first `axes` principal axes of the reference set (0: all). Biased
// upwards for small sets: quote it only beside frechet_floor and the sample sizes.
double frechet(const Features& sample, const Features& reference, int axes = 64);

// The distance between two random halves of one set: what no model can be told from.
double frechet_floor(const Features& reference, int axes = 64, std::uint64_t seed = 1);

// For each row of `sample` the index of the nearest row of `reference` by cosine after centring on the reference mean.
std::vector<std::int64_t> nearest(const Features& sample, const Features& reference);

}  // namespace thimble::metrics
