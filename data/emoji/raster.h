// Draws an SVG document with librsvg and cairo, both linked dynamically. Workbench only.
#pragma once

#include <string_view>

#include "media/image.h"

namespace thimble::data {

// RGBA with straight alpha, side x side, the document's view box fitted into the square that `margin` pixels leave on
// every side. Throws bad_file with the library's reason for a document that cannot be drawn.
media::Image draw_svg(std::string_view svg, int side, int margin, std::string_view what);

// A picture of any size, fitted and centred in the same way.
media::Image fit_picture(const media::Image& picture, int side, int margin);

}  // namespace thimble::data
