#include "cli/device/output.h"

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "cli/device/note.h"
#include "media/png_text.h"
#include "media/transform.h"

namespace thimble::cli {
namespace {

struct Named {
  std::string_view name;
  media::Rgb colour;
};
constexpr std::array kColours{
    Named{"white", {255, 255, 255}}, Named{"black", {0, 0, 0}},   Named{"gray", {128, 128, 128}},
    Named{"red", {255, 0, 0}},       Named{"green", {0, 128, 0}}, Named{"blue", {0, 0, 255}},
    Named{"yellow", {255, 255, 0}},
};

// "cat.png" and 2 of 12: "cat-02.png".
std::string numbered(const std::filesystem::path& path, int i, int count) {
  const auto width = std::to_string(count).size();
  std::filesystem::path name = path.stem();
  name += fmt::format("-{:0{}}", i, width);
  name += path.extension();
  return (path.parent_path() / name).string();
}

}  // namespace

media::Rgb parse_colour(const std::string& text) {
  for (const Named& n : kColours) {
    if (n.name == text) return n.colour;
  }
  const bool is_short = text.size() == 4;
  std::uint32_t value = 0;
  if ((is_short || text.size() == 7) && text[0] == '#') {
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value, 16);
    if (error == std::errc() && end == text.data() + text.size()) {
      const auto part = [&](int i) {
        return static_cast<std::uint8_t>(is_short ? (value >> (8 - 4 * i) & 15) * 17 : value >> (16 - 8 * i) & 255);
      };
      return {part(0), part(1), part(2)};
    }
  }
  fail(ErrorKind::bad_input,
       "'{}' is no colour: white, black, gray, red, green, blue, yellow, #rgb or #rrggbb was wanted", text);
}

OutputPlan plan_output(const OutputOptions& options, int count) {
  OutputPlan plan;
  if (options.path.empty()) fail(ErrorKind::bad_input, "the output's name is empty");
  if (std::filesystem::is_directory(options.path)) {
    fail(ErrorKind::bad_input, "{} is an existing directory, a file name was wanted", options.path);
  }
  plan.format = media::format_of_extension(options.path);
  if (!options.background.empty()) plan.background = parse_colour(options.background);
  if (plan.format == media::ImageFormat::jpeg) {
    if (options.transparent) fail(ErrorKind::bad_input, "a .jpg has no transparency; .png and .webp have");
    if (!plan.background) plan.background = media::Rgb{255, 255, 255};
  }
  plan.grid = options.grid;
  if (count == 1 || options.grid) {
    plan.files = {options.path};
  } else {
    for (int i = 1; i <= count; ++i) plan.files.push_back(numbered(options.path, i, count));
  }
  for (const std::string& file : plan.files) check_writable(file);
  return plan;
}

media::Image make_grid(const std::vector<media::Image>& images) {
  constexpr int kGap = 4;  // pixels
  const int count = static_cast<int>(images.size());
  const int columns = static_cast<int>(std::ceil(std::sqrt(count))), rows = (count + columns - 1) / columns;
  const int w = images.front().width + kGap, h = images.front().height + kGap;
  media::Image grid(columns * w - kGap, rows * h - kGap, images.front().channels);
  for (int i = 0; i < count; ++i)
    media::draw_over(grid, images[static_cast<std::size_t>(i)], i % columns * w, i / columns * h);
  return grid;
}

std::vector<std::string> write_output(const OutputPlan& plan, const std::vector<media::Image>& images,
                                      const std::vector<std::string>& notes) {
  std::vector<media::Image> sheet;
  if (plan.grid) sheet.push_back(make_grid(images));
  const auto& pictures = plan.grid ? sheet : images;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    std::string bytes = plan.background ? encode_image(media::composite(pictures[i], *plan.background), plan.format)
                                        : encode_image(pictures[i], plan.format);
    if (plan.format == media::ImageFormat::png && i < notes.size()) {
      bytes = media::add_png_text(bytes, kNoteKey, notes[i]);
    }
    write_file(plan.files[i], bytes);
  }
  return plan.files;
}

}  // namespace thimble::cli
