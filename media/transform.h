// Resizing and small pixel operations. Pictures with alpha are resized premultiplied, so that hidden colours do not
// bleed into edges. Values are treated as they are stored (no linear light).
#pragma once

#include "media/image.h"

namespace thimble::media {

enum class Filter {
  area,      // exact box average when shrinking, else as bilinear
  bilinear,  // triangle; widened by the factor when shrinking
  bicubic,   // Keys, a = -0.5; widened by the factor when shrinking
};

Image resize(const Image& image, int width, int height, Filter filter = Filter::area);

// RGBA over a colour, giving RGB. RGB and grey pictures come back as RGB.
Image composite(const Image& image, Rgb background);
// RGBA over RGB or RGBA of the same size, its corner at (x, y) of `below`; what sticks out is cut.
void draw_over(Image& below, const Image& above, int x, int y);

Image premultiply(const Image& rgba);
Image unpremultiply(const Image& rgba);  // colour 0 where alpha is 0

Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);
Image crop(const Image& image, int x, int y, int width, int height);  // must lie inside
Image to_channels(const Image& image, int channels);  // 1: Rec. 601 luma; 4: alpha 255; alpha is dropped

}  // namespace thimble::media
