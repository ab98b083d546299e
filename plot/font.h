// A built-in bitmap font: printable ASCII, 5 columns by 9 rows (seven above the base line, two below). Not for running
// text: it labels charts and sheets where no font library may be asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "media/image.h"

namespace thimble::plot {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 9, kAdvance = 6;

// ASCII for any UTF-8 text: typographic quotes and dashes become plain ones, accents on common Latin letters are
// dropped, all else is '?'.
std::string to_ascii(std::string_view text);

inline int text_width(std::string_view ascii, int scale) { return static_cast<int>(ascii.size()) * kAdvance * scale; }

// Upper left corner at (x, y) of an RGB picture; what sticks out is cut. `vertical`: written upwards, (x, y) then being
// the lower left corner of the turned text.
void draw_text(media::Image& rgb, int x, int y, std::string_view ascii, media::Rgb colour, int scale = 1,
               bool vertical = false);

// Words to lines of at most `columns` characters; longer words are cut. More than `lines` lines end in "..".
std::vector<std::string> wrap(std::string_view ascii, int columns, int lines);

}  // namespace thimble::plot
