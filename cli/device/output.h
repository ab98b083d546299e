// Where pictures go: numbered files or one grid, on a colour or transparent. Everything that can be refused is refused
// before there are pictures.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "media/codec.h"

namespace thimble::cli {

struct OutputOptions {
  std::string path, background;  // background empty: none
  bool grid = false, transparent = false;
};

struct OutputPlan {
  std::vector<std::string> files;  // one per picture, or one
  media::ImageFormat format;
  std::optional<media::Rgb> background;
  bool grid = false;
};

// "white", "black", "gray", "red", "green", "blue", "yellow", "#rgb", "#rrggbb"; bad_input otherwise.
media::Rgb parse_colour(const std::string& text);

// bad_input or io error for an unknown extension or colour, a directory, a place that cannot be written.
OutputPlan plan_output(const OutputOptions& options, int count);

// Pictures of one size, nearly square, a small gap between them.
media::Image make_grid(const std::vector<media::Image>& images);

// Each file is written whole or not at all; returns their names. A PNG carries its note (note.h): one of `notes` for
// each file.
std::vector<std::string> write_output(const OutputPlan& plan, const std::vector<media::Image>& images,
                                      const std::vector<std::string>& notes = {});

}  // namespace thimble::cli
