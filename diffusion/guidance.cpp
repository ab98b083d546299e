#include "diffusion/guidance.h"

#include <cmath>

namespace thimble::diffusion {
namespace {

double spread(std::span<const float> x) {
  double sum = 0, squares = 0;
  for (const float v : x) {
    sum += v;
    squares += double{v} * v;
  }
  const double n = static_cast<double>(x.size()), mean = sum / n;
  return std::sqrt(std::max(0.0, squares / n - mean * mean));
}

}  // namespace

void guide(const GuidanceOptions& options, std::span<float> with_text, std::span<const float> without_text) {
  const double before = options.rescale > 0 ? spread(with_text) : 0;
  for (std::size_t i = 0; i < with_text.size(); ++i) {
    with_text[i] = static_cast<float>(without_text[i] + options.scale * (double{with_text[i]} - without_text[i]));
  }
  if (options.rescale <= 0) return;
  const double after = spread(with_text);
  if (after <= 0) return;
  const double factor = options.rescale * (before / after) + (1 - options.rescale);
  for (float& v : with_text) v = static_cast<float>(v * factor);
}

}  // namespace thimble::diffusion
