#include "data/emoji/dataset.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "data/emoji/pack.h"

namespace thimble::data {
namespace {

constexpr std::size_t kPrefix = 24;  // magic and two lengths
constexpr std::uint64_t kHeaderLimit = 256ull << 20;

std::uint64_t read_u64(const std::byte* p) {
  std::uint64_t v = 0;
  for (int i = 7; i >= 0; --i) v = v << 8 | std::to_integer<std::uint64_t>(p[i]);
  return v;
}

int ranged(const Json& value, int low, int high, const std::string& what) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < low || value.get<std::int64_t>() >= high) {
    fail(ErrorKind::bad_file, "{}: {} where an integer in {}..{} was wanted", what, value.dump(), low, high - 1);
  }
  return value.get<int>();
}

const Json& row_of(const Json& value, std::size_t size, const std::string& what) {
  if (!value.is_array() || value.size() != size)
    fail(ErrorKind::bad_file, "{}: a row of {} values was wanted", what, size);
  return value;
}

std::string text_of(const Json& value, const std::string& what) {
  if (!value.is_string()) fail(ErrorKind::bad_file, "{}: {} where text was wanted", what, value.type_name());
  return value.get<std::string>();
}

std::string inflate_header(std::span<const std::byte> bytes, const std::string& what) {
  if (bytes.size() < kPrefix || std::memcmp(bytes.data(), "THEMOJI1", 8) != 0) {
    fail(ErrorKind::bad_file, "{}: not a packed emoji set (its first bytes are not THEMOJI1)", what);
  }
  const std::uint64_t packed = read_u64(bytes.data() + 8), plain = read_u64(bytes.data() + 16);
  if (packed > bytes.size() - kPrefix || plain > kHeaderLimit) {
    fail(ErrorKind::bad_file, "{}: a header of {} bytes (unpacked {}) in a file of {} bytes", what, packed, plain,
         bytes.size());
  }
  std::string text(plain, '\0');
  uLongf size = plain;
  const int status = ::uncompress(reinterpret_cast<Bytef*>(text.data()), &size,
                                  reinterpret_cast<const Bytef*>(bytes.data() + kPrefix), packed);
  if (status != Z_OK || size != plain)
    fail(ErrorKind::bad_file, "{}: the header is damaged (zlib status {})", what, status);
  return text;
}

}  // namespace

const StyleInfo& style_info(Style style) {
  static const StyleInfo table[kStyles] = {
      {"noto", "noto", "@iconify-json/noto", "Apache-2.0", "Noto Emoji, Google Inc., Apache License 2.0"},
      {"fluent", "glossy", "@iconify-json/fluent-emoji", "MIT", "Fluent Emoji, Microsoft Corporation, MIT License"},
      {"fluent-flat", "flat", "@iconify-json/fluent-emoji-flat", "MIT",
       "Fluent Emoji Flat, Microsoft Corporation, MIT License"},
      {"fluent-3d", "3d", "@lobehub/fluent-emoji-3d", "MIT",
       "Fluent Emoji 3D, Microsoft Corporation, MIT License; packaged by LobeHub, MIT License"},
      {"twemoji", "twemoji", "@iconify-json/twemoji", "CC-BY-4.0",
       "Twemoji, Twitter, Inc. and other contributors, Creative Commons Attribution 4.0; drawn anew at another size"},
      {"openmoji", "openmoji", "@iconify-json/openmoji", "CC-BY-SA-4.0",
       "OpenMoji, the open-source emoji project of HfG Schwaebisch Gmuend, Creative Commons Attribution-ShareAlike "
       "4.0; "
       "drawn anew at another size"},
  };
  return table[static_cast<std::size_t>(style)];
}

std::string_view to_string(Split split) {
  static constexpr std::string_view names[kSplits] = {"train", "validation", "test", "combination", "unseen_style"};
  return names[static_cast<std::size_t>(split)];
}

std::shared_ptr<const EmojiSet> EmojiSet::open(const std::filesystem::path& path) {
  auto set = std::shared_ptr<EmojiSet>(new EmojiSet);
  set->file_ = MappedFile::open(path);
  const std::string what = path.string();
  const auto bytes = set->file_->bytes();
  const Json header = parse_json(inflate_header(bytes, what), what + ": header");
  if (get_int(header, "side", what) != kPictureSide) {
    fail(ErrorKind::unsupported, "{}: pictures of {} pixels, {} are read", what, get_int(header, "side", what),
         kPictureSide);
  }
  if (get_array(header, "styles", what).size() != static_cast<std::size_t>(kStyles)) {
    fail(ErrorKind::bad_file, "{}: {} styles, {} were wanted", what, header["styles"].size(), kStyles);
  }

  std::uint64_t at = kPrefix + read_u64(bytes.data() + 8);
  for (const Json& size : get_array(header, "pieces", what)) {
    const auto n = static_cast<std::uint64_t>(ranged(size, 0, 1 << 30, what + ": size of a piece"));
    if (n > bytes.size() - at)
      fail(ErrorKind::bad_file, "{}: truncated; a piece of {} bytes at {} of {}", what, n, at, bytes.size());
    set->pieces_.push_back({at, n});
    at += n;
  }
  const int pieces = static_cast<int>(set->pieces_.size());

  std::vector<Entry> concepts;
  for (const Json& json : get_array(header, "concepts", what)) {
    const std::string where = what + ": concept " + std::to_string(concepts.size());
    const Json& row = row_of(json, 9, where);
    Entry e;
    e.code_point = text_of(row[0], where);
    e.label = text_of(row[1], where);
    if (!row[2].is_array()) fail(ErrorKind::bad_file, "{}: a list of tags was wanted", where);
    for (const Json& tag : row[2]) e.tags.push_back(text_of(tag, where));
    e.group = text_of(row[3], where);
    e.subgroup = text_of(row[4], where);
    e.tone = ranged(row[5], 0, 6, where);
    e.second_tone = ranged(row[6], 0, 6, where);
    e.sex = static_cast<Sex>(ranged(row[7], 0, 4, where));
    e.family = text_of(row[8], where);
    if (!set->concepts_.empty() && set->concepts_.back() >= e.code_point)
      fail(ErrorKind::bad_file, "{}: out of order", where);
    set->concepts_.push_back(e.code_point);
    concepts.push_back(std::move(e));
  }

  std::array<int, kStyles> nowhere{};
  nowhere.fill(-1);
  set->by_concept_.assign(concepts.size(), nowhere);
  for (const Json& json : get_array(header, "entries", what)) {
    const int id = static_cast<int>(set->entries_.size());
    const std::string where = what + ": entry " + std::to_string(id);
    const Json& row = row_of(json, 5, where);
    const int concept_ = ranged(row[0], 0, static_cast<int>(concepts.size()), where);
    const int style = ranged(row[1], 0, kStyles, where);
    Entry e = concepts[static_cast<std::size_t>(concept_)];
    e.id = id;
    e.style = static_cast<Style>(style);
    e.split = static_cast<Split>(ranged(row[2], 0, kSplits, where));
    set->parts_.push_back({ranged(row[3], 0, pieces, where), ranged(row[4], -1, pieces, where)});
    set->by_concept_[static_cast<std::size_t>(concept_)][static_cast<std::size_t>(style)] = id;
    set->entries_.push_back(std::move(e));
  }
  return set;
}

media::Image EmojiSet::picture(int id) const {
  if (id < 0 || id >= static_cast<int>(entries_.size())) {
    fail(ErrorKind::bad_input, "picture {} of a set of {}", id, entries_.size());
  }
  const auto [colour, alpha] = parts_[static_cast<std::size_t>(id)];
  const auto bytes = [&](int piece) {
    if (piece < 0) return std::span<const std::byte>{};
    const Piece& p = pieces_[static_cast<std::size_t>(piece)];
    return file_->bytes().subspan(p.offset, p.size);
  };
  return unpack_picture(bytes(colour), bytes(alpha), fmt::format("{}: picture {}", file_->path().string(), id));
}

const Entry* EmojiSet::find(std::string_view code_point, Style style) const {
  const auto it = std::lower_bound(concepts_.begin(), concepts_.end(), code_point);
  if (it == concepts_.end() || *it != code_point) return nullptr;
  const int id = by_concept_[static_cast<std::size_t>(it - concepts_.begin())][static_cast<std::size_t>(style)];
  return id < 0 ? nullptr : &entries_[static_cast<std::size_t>(id)];
}

}  // namespace thimble::data
