#include "plot/sheet.h"

#include <algorithm>

#include "base/error.h"
#include "media/transform.h"
#include "plot/font.h"

namespace thimble::plot {
namespace {

constexpr media::Rgb kInk{40, 40, 40};
constexpr int kLine = kGlyphHeight + 2;  // pixels from one caption line to the next
constexpr int kTitleScale = 2;

void fill(media::Image& sheet, int x, int y, int side, const SheetOptions& options) {
  constexpr int kSquare = 8;
  for (int py = 0; py < side; ++py) {
    for (int px = 0; px < side; ++px) {
      media::Rgb c = options.background;
      if (options.checkerboard) {
        const std::uint8_t v = (px / kSquare + py / kSquare) % 2 == 0 ? 255 : 224;
        c = {v, v, v};
      }
      std::uint8_t* p = sheet.at(x + px, y + py);
      p[0] = c.r, p[1] = c.g, p[2] = c.b;
    }
  }
}

media::Image fitted(const media::Image& image, int side) {
  const int longest = std::max(image.width, image.height);
  if (longest <= side) return image;
  const auto scaled = [&](int n) { return std::max(1, n * side / longest); };
  return media::resize(image, scaled(image.width), scaled(image.height));
}

}  // namespace

media::Image contact_sheet(std::span<const Tile> tiles, const SheetOptions& options) {
  if (tiles.empty()) fail(ErrorKind::bad_input, "a contact sheet needs at least one picture");
  if (options.columns < 1 || options.tile < 1 || options.gap < 0 || options.caption_lines < 0) {
    fail(ErrorKind::bad_input, "a contact sheet of {} columns, tiles of {}, gaps of {}, {} caption lines",
         options.columns, options.tile, options.gap, options.caption_lines);
  }
  const int columns = std::min(options.columns, static_cast<int>(tiles.size()));
  const int rows = (static_cast<int>(tiles.size()) + columns - 1) / columns;
  const int caption = options.caption_lines == 0 ? 0 : options.caption_lines * kLine + 3;
  const int top = options.title.empty() ? 0 : kGlyphHeight * kTitleScale + options.gap;
  media::Image sheet(options.gap + columns * (options.tile + options.gap),
                     top + options.gap + rows * (options.tile + caption + options.gap), 3);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), std::uint8_t{255});
  if (top != 0) draw_text(sheet, options.gap, options.gap, to_ascii(options.title), kInk, kTitleScale);

  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const int column = static_cast<int>(i) % columns, row = static_cast<int>(i) / columns;
    const int x = options.gap + column * (options.tile + options.gap);
    const int y = top + options.gap + row * (options.tile + caption + options.gap);
    fill(sheet, x, y, options.tile, options);
    if (!tiles[i].image.empty()) {
      const media::Image picture = fitted(tiles[i].image, options.tile);
      media::draw_over(sheet, picture, x + (options.tile - picture.width) / 2, y + (options.tile - picture.height) / 2);
    }
    int line_y = y + options.tile + 3;
    for (const std::string& line : wrap(to_ascii(tiles[i].caption), options.tile / kAdvance, options.caption_lines)) {
      draw_text(sheet, x + (options.tile - text_width(line, 1)) / 2, line_y, line, kInk);
      line_y += kLine;
    }
  }
  return sheet;
}

}  // namespace thimble::plot
