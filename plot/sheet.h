// Contact sheets: pictures in a grid with a caption under each. Not here: charts (plot/chart.h).
#pragma once

#include <span>
#include <string>

#include "media/image.h"

namespace thimble::plot {

struct Tile {
  media::Image image;   // any size and channel count; shown whole, centred, never enlarged past the tile
  std::string caption;  // wrapped to the tile's width, cut after SheetOptions::caption_lines
};

struct SheetOptions {
  int columns = 8;
  int tile = 128;  // side of the square for the picture, pixels
  int gap = 8;
  int caption_lines = 2;      // 0: no captions
  bool checkerboard = false;  // under transparent pictures; otherwise `background`
  media::Rgb background{255, 255, 255};
  std::string title = {};  // above the grid; may be empty
};

// RGB. Throws bad_input without tiles or with a non-positive option.
media::Image contact_sheet(std::span<const Tile> tiles, const SheetOptions& options = {});

}  // namespace thimble::plot
