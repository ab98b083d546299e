// Tasks made from any picture of the set, without a second drawing: inpainting masks, pictures to enlarge, another
// ground, a second emoji beside the first. All depend on their seed alone. Counts are of (picture, variant) pairs.
#pragma once

#include <string>

#include "base/rng.h"
#include "data/emoji/captions.h"
#include "data/emoji/dataset.h"

namespace thimble::data {

// One channel, side x side: 255 where the picture is to be invented. A box, an ellipse or brush strokes, covering about
// 5 to 50 % of the square.
media::Image inpainting_mask(std::uint64_t seed, std::uint64_t index, int side);

// RGB, side / factor: what an enlarging model is given. factor must divide the side.
media::Image shrunk(const media::Image& rgb, int factor);

struct MadeEdit {
  std::string instruction;
  media::Image before, after;  // RGB, kPictureSide square
};
inline constexpr int kMadeWordings = 4;  // the last is held out

// "make the background {colour}": the same picture on two grounds. wording in 0..kMadeWordings-1.
MadeEdit background_edit(const EmojiSet& set, int id, Rng& rng, int wording);

// "add a {label} on the {side}": `id` made smaller on white, `other` at its left, right, top or bottom.
MadeEdit composite_edit(const EmojiSet& set, int id, int other, Rng& rng, int wording);

}  // namespace thimble::data
