// Emoji pictures as training sees them: which to draw, and how they become numbers. No LibTorch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "data/emoji/dataset.h"
#include "media/image.h"

namespace thimble::train {

// A square part of a picture: output pixel (i, j) reads the source at (x + j*scale, y + i*scale), bilinearly; outside
// the picture is transparent.
struct Window {
  double x = 0, y = 0, scale = 1;
  int side = 256;
};

// Premultiplied RGBA mapped to [-1, 1], (side, side, 4); over `background` (alpha 1) when there is one.
void sample_window(const media::Image& rgba, const Window& window, const media::Rgb* background, std::span<float> out);

// The way back, with clamping: premultiplied [-1, 1] values (side, side, 4) to straight RGBA.
media::Image to_image(std::span<const float> values, int side);

// Draws entries of one split: styles alike, and within a style every concept alike however many skin tones it comes in.
class Sampler {
 public:
  Sampler(const std::vector<data::Entry>& entries, data::Split split);
  int draw(Rng& rng) const;                             // an entry's id
  const std::vector<int>& ids() const { return ids_; }  // all of the split, ascending

 private:
  struct Group {
    std::vector<int> ids;
    std::vector<double> cumulative;
  };
  std::vector<Group> styles_;
  std::vector<int> ids_;
};

// `count` ids of a split, the same ones always, spread over styles.
std::vector<int> fixed_choice(const std::vector<data::Entry>& entries, data::Split split, int count);

}  // namespace thimble::train
