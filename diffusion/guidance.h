// Classifier-free guidance (Ho and Salimans 2022), with the limited interval of Kynkaanniemi et al. 2024 and the
// rescaling of Lin et al. 2023, section 3.4. The two outputs come from one run of a batch of two, so that weights are
// read once.
#pragma once

#include <span>

namespace thimble::diffusion {

struct GuidanceOptions {
  double scale = 1;          // 1: none
  double low = 0, high = 1;  // guided where Schedule::fraction lies in [low, high]
  double rescale = 0;        // 0 none .. 1 full: keeps the spread of the conditional output
};

// Whether the level needs the output without text.
inline bool guided_at(const GuidanceOptions& options, double fraction) {
  return options.scale != 1 && fraction >= options.low && fraction <= options.high;
}

// without + scale * (with - without), rescaled; written to `with_text`. One picture a call: the spread is taken over
// it.
void guide(const GuidanceOptions& options, std::span<float> with_text, std::span<const float> without_text);

}  // namespace thimble::diffusion
