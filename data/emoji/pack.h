// Writes the packed data set (read by EmojiSet). One file, little-endian:
//   8 bytes "THEMOJI1" | u64 header bytes, packed | u64 header bytes, plain | header: zlib stream of JSON | pieces
// The header holds styles, concepts, entries and the sizes of the pieces. A picture is a lossy WebP taken apart: its
// colour chunk and its alpha chunk are pieces, and equal pieces are stored once, since skin tones share outlines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/emoji/dataset.h"

namespace thimble::data {

struct PackedPicture {
  std::string colour;  // payload of the VP8 chunk
  std::string alpha;   // payload of the ALPH chunk; empty: opaque
};

PackedPicture pack_picture(const media::Image& rgba, int quality, int alpha_quality);
media::Image unpack_picture(std::span<const std::byte> colour, std::span<const std::byte> alpha, std::string_view what);

// entries[i] belongs to pictures[i]; ids are set to the index. Returns the bytes written.
std::size_t write_pack(const std::filesystem::path& path, std::vector<Entry> entries,
                       std::span<const PackedPicture> pictures);

}  // namespace thimble::data
