#include "data/emoji/pack.h"

#include <zlib.h>

#include <cstring>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "media/codec.h"
#include "media/transform.h"

namespace thimble::data {
namespace {

std::string little(std::uint64_t v, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(v >> (8 * i) & 0xff);
  return s;
}

std::uint32_t read_u32(const char* p) {
  std::uint32_t v = 0;
  for (int i = 3; i >= 0; --i) v = v << 8 | static_cast<unsigned char>(p[i]);
  return v;
}

void append_chunk(std::string& out, std::string_view name, std::string_view payload) {
  out += name;
  out += little(payload.size(), 4);
  out += payload;
  if (payload.size() % 2 != 0) out += '\0';
}

std::string_view view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

PackedPicture pack_picture(const media::Image& rgba, int quality, int alpha_quality) {
  const media::EncodeOptions options{.quality = quality, .alpha_quality = alpha_quality, .effort = 6};
  const std::string file = media::encode_image(rgba, media::ImageFormat::webp, options);
  PackedPicture packed;
  for (std::size_t at = 12; at + 8 <= file.size();) {
    const std::string_view name(file.data() + at, 4);
    const std::uint32_t size = read_u32(file.data() + at + 4);
    if (name == "VP8 ") packed.colour = file.substr(at + 8, size);
    if (name == "ALPH") packed.alpha = file.substr(at + 8, size);
    at += 8 + size + size % 2;
  }
  check(!packed.colour.empty(), "a lossy WebP has a VP8 chunk");
  return packed;
}

// The container is described in Google's "WebP Container Specification": RIFF, then VP8X, ALPH, VP8.
media::Image unpack_picture(std::span<const std::byte> colour, std::span<const std::byte> alpha,
                            std::string_view what) {
  std::string body = "WEBP";
  if (!alpha.empty()) {
    std::string extended = little(0x10, 4);  // flags: has alpha
    extended += little(kPictureSide - 1, 3) + little(kPictureSide - 1, 3);
    append_chunk(body, "VP8X", extended);
    append_chunk(body, "ALPH", view(alpha));
  }
  append_chunk(body, "VP8 ", view(colour));
  std::string file;
  append_chunk(file, "RIFF", body);
  media::Image image = media::decode_image(std::as_bytes(std::span(file)), what);
  if (image.width != kPictureSide || image.height != kPictureSide) {
    fail(ErrorKind::bad_file, "{}: {}x{} pixels, {} squared were wanted", what, image.width, image.height,
         kPictureSide);
  }
  return media::to_channels(image, 4);
}

std::size_t write_pack(const std::filesystem::path& path, std::vector<Entry> entries,
                       std::span<const PackedPicture> pictures) {
  check(entries.size() == pictures.size(), "one picture for every entry");
  std::vector<std::string_view> pieces;
  std::unordered_map<std::string_view, int> known;
  const auto piece_of = [&](const std::string& bytes) {
    if (bytes.empty()) return -1;
    const auto [it, fresh] = known.emplace(bytes, static_cast<int>(pieces.size()));
    if (fresh) pieces.push_back(bytes);
    return it->second;
  };

  std::map<std::string, const Entry*> concepts;
  for (const Entry& e : entries) concepts.emplace(e.code_point, &e);
  std::map<std::string, int> index;
  OrderedJson header;
  header["side"] = kPictureSide;
  header["margin"] = kPictureMargin;
  for (int s = 0; s < kStyles; ++s) {
    const StyleInfo& info = style_info(static_cast<Style>(s));
    header["styles"].push_back(
        {{"set", info.set}, {"word", info.word}, {"licence", info.licence}, {"attribution", info.attribution}});
  }
  header["concepts"] = OrderedJson::array();
  for (const auto& [code_point, e] : concepts) {
    index.emplace(code_point, static_cast<int>(index.size()));
    header["concepts"].push_back(OrderedJson::array({code_point, e->label, e->tags, e->group, e->subgroup, e->tone,
                                                     e->second_tone, static_cast<int>(e->sex), e->family}));
  }
  header["entries"] = OrderedJson::array();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const int colour = piece_of(pictures[i].colour), alpha = piece_of(pictures[i].alpha);
    header["entries"].push_back(OrderedJson::array({index.at(entries[i].code_point), static_cast<int>(entries[i].style),
                                                    static_cast<int>(entries[i].split), colour, alpha}));
  }
  header["pieces"] = OrderedJson::array();
  for (const std::string_view piece : pieces) header["pieces"].push_back(piece.size());

  const std::string text = header.dump();
  std::string packed(::compressBound(text.size()), '\0');
  uLongf size = packed.size();
  check(::compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
                    text.size(), 9) == Z_OK,
        "zlib packs the header");
  packed.resize(size);

  AtomicFile file(path);
  file.write("THEMOJI1");
  file.write(little(packed.size(), 8) + little(text.size(), 8));
  file.write(packed);
  for (const std::string_view piece : pieces) file.write(piece);
  const std::size_t written = file.written();
  file.commit();
  return written;
}

}  // namespace thimble::data
