// The emoji data set as training sees it: entries with plain fields, and their pictures out of one packed file.
// Everything that training and evaluation need is in the pack; no network, no SVG. Example:
//   auto set = data::EmojiSet::open("emoji.pack");
//   for (const data::Entry& e : set->entries())
//     if (e.split == data::Split::train) use(data::caption(e, rng), set->picture(e.id));
// Beside it: captions.h (texts and grounds), edits.h (pairs and instructions), tasks.h (masks, small pictures),
// build.h (how a pack is made).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "media/image.h"

namespace thimble::data {

inline constexpr int kPictureSide = 256;  // pixels; the drawing itself keeps kPictureMargin from every edge
inline constexpr int kPictureMargin = 15;

enum class Style : std::uint8_t { noto, glossy, flat, threed, twemoji, openmoji };
inline constexpr int kStyles = 6;
inline constexpr int kTrainedStyles = 5;  // openmoji is never trained on

struct StyleInfo {
  std::string_view set;   // short name of the source set: "fluent-flat"
  std::string_view word;  // what captions call it: "flat"
  std::string_view package;
  std::string_view licence;      // of the pictures, SPDX
  std::string_view attribution;  // one sentence that keeps the licence's wish
};
const StyleInfo& style_info(Style style);

enum class Split : std::uint8_t {
  train,
  validation,    // whole families
  test,          // whole families
  combination,   // known concept, known tone or style, never seen together
  unseen_style,  // openmoji
};
inline constexpr int kSplits = 5;
std::string_view to_string(Split split);

enum class Sex : std::uint8_t { none, person, man, woman };  // none: the concept has no such forms

struct Entry {
  int id = 0;              // index into entries() and of the picture
  std::string code_point;  // lower-case hexadecimal, joined by '-', without fe0f: "1f9d1-1f3fb-200d-1f692"
  Style style = Style::noto;
  std::string label;  // "firefighter: light skin tone"
  std::vector<std::string> tags;
  std::string group;     // "people-body"
  std::string subgroup;  // "person-role"
  int tone = 0;          // 0 none (yellow), 1 light .. 5 dark
  int second_tone = 0;   // of couples and handshakes with two tones
  Sex sex = Sex::none;
  std::string family;  // same role or object whatever tone, sex and direction
  Split split = Split::train;
};

// Opened by mapping; pictures are decoded when asked for. Immutable, so any number of threads may read it.
class EmojiSet {
 public:
  // Throws bad_file for a damaged or foreign file.
  static std::shared_ptr<const EmojiSet> open(const std::filesystem::path& path);

  const std::vector<Entry>& entries() const { return entries_; }
  // RGBA, straight alpha, kPictureSide square.
  media::Image picture(int id) const;
  // The entry of a code point in a style, or null.
  const Entry* find(std::string_view code_point, Style style) const;

 private:
  EmojiSet() = default;
  struct Piece {
    std::uint64_t offset = 0, size = 0;
  };
  std::shared_ptr<const MappedFile> file_;
  std::vector<Entry> entries_;
  std::vector<Piece> pieces_;
  std::vector<std::array<int, 2>> parts_;  // per entry: piece of colour, piece of alpha (-1: opaque)
  std::vector<std::array<int, kStyles>> by_concept_;
  std::vector<std::string> concepts_;  // sorted code points
};

}  // namespace thimble::data
