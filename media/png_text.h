// Text that travels inside a PNG: the chunk iTXt (UTF-8) is written, iTXt and tEXt are read (PNG specification, third
// edition, 11.3.3). Pixels are not touched. Not here: compressed text (zTXt, compressed iTXt is passed over), pictures
// themselves (codec.h).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace thimble::media {

inline constexpr std::size_t kMaxPngText = std::size_t{1} << 20;  // bytes of one text

// The PNG with one more iTXt chunk, right behind its header. `key`: 1 to 79 printable ASCII characters; `text`: UTF-8
// without zero bytes, at most kMaxPngText. bad_input otherwise, bad_file when `png` is none.
std::string add_png_text(std::string_view png, std::string_view key, std::string_view text);

// The first text under `key`; none when there is no such chunk. tEXt, which is Latin-1, comes back as UTF-8. bad_file,
// naming `what`, for what is no PNG, for chunks that leave the file or whose sum is wrong, and for longer texts.
std::optional<std::string> find_png_text(std::span<const std::byte> png, std::string_view key, std::string_view what);

}  // namespace thimble::media
