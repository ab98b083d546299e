#include "gauge/container/signature.h"

#include <algorithm>

namespace thimble::gauge {
namespace {

struct Row {
  std::size_t at;
  std::string_view magic;
  FileKind kind;
};

using enum FileClass;
using namespace std::string_view_literals;

constexpr Row kRows[] = {
    {0, "PK\3\4"sv, {"zip", container}},
    {0, "PK\5\6"sv, {"zip", container}},
    {257, "ustar"sv, {"tar", container}},
    {0, "\x1f\x8b\x08"sv, {"gzip", container}},
    {0, "dex\n0"sv, {"dex", code}},
    {0,
     "\x7f"
     "ELF"sv,
     {"elf", code}},
    {0, "\xcf\xfa\xed\xfe"sv, {"mach-o", code}},
    {0, "\xca\xfe\xba\xbe\0\0\0\2"sv, {"mach-o", code}},  // two architectures; a class file has its version there
    {0, "\3\0\x08\0"sv, {"axml", manifest}},
    {0, "\2\0\x0c\0"sv, {"arsc", media}},
    {0, "\xca\xfe\xba\xbe"sv, {"class", media}},
    {0, "\x89PNG\r\n\x1a\n"sv, {"png", media}},
    {0, "\xff\xd8\xff"sv, {"jpeg", media}},
    {0, "GIF8"sv, {"gif", media}},
    {0, "RIFF"sv, {"riff", media}},
    {0, "OggS"sv, {"ogg", media}},
    {0, "fLaC"sv, {"flac", media}},
    {0, "ID3"sv, {"mp3", media}},
    {4, "ftyp"sv, {"mp4", media}},
    {0, "%PDF-"sv, {"pdf", media}},
    {0, "\0\1\0\0\0"sv, {"truetype", media}},
    {0, "OTTO"sv, {"opentype", media}},
    {0, "wOFF"sv, {"woff", media}},
    {0, "wOF2"sv, {"woff2", media}},
    {0, "SQLite format 3\0"sv, {"sqlite", media}},
    {0, "glTF"sv, {"gltf", media}},
    {0, "\xabKTX"sv, {"ktx", media}},
    {0, "\0asm"sv, {"wasm", media}},
    {0, "7z\xbc\xaf\x27\x1c"sv, {"7z", compressed}},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     {"xz", compressed}},
    {0, "BZh"sv, {"bzip2", compressed}},
    {0, "\x28\xb5\x2f\xfd"sv, {"zstd", compressed}},
    {0, "\x04\x22\x4d\x18"sv, {"lz4", compressed}},
    {0, "Rar!\x1a\x07"sv, {"rar", compressed}},
    {0, "\x5d\0\0\x80\0"sv, {"lzma", compressed}},
    {0, "\xce\xb2\xcf\x81"sv, {"brotli", compressed}},
};

// No byte that text never has: control characters but tab, line ends and form feed.
bool is_text(std::string_view s) {
  return std::none_of(s.begin(), s.end(),
                      [](unsigned char c) {
                        return (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f;
                      }) &&
         std::count_if(s.begin(), s.end(), [](unsigned char c) { return c >= 0x80; }) * 2 <=
             static_cast<std::ptrdiff_t>(s.size());
}

}  // namespace

FileKind identify(Bytes head) {
  if (head.empty()) return {"empty", media};
  for (const Row& row : kRows) {
    if (starts_with(head, row.magic, row.at)) return row.kind;
  }
  if (is_text(text_of(head))) return {"text", text};
  return {"unknown", unknown};
}

}  // namespace thimble::gauge
