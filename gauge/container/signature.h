// What a file is by its first bytes. Coarse on purpose: it decides what is opened, what is read whole and what is
// passed over. Models are told by their probes (gauge/probe.h), not here.
#pragma once

#include <cstddef>
#include <string_view>

#include "gauge/bytes.h"

namespace thimble::gauge {

enum class FileClass {
  container,   // zip, tar, gzip: opened
  code,        // dex, ELF, Mach-O
  manifest,    // Android binary XML
  media,       // pictures, sound, fonts, tables: known and passed over
  compressed,  // a compression that is not opened
  text,
  unknown,  // anything else: searched for models
};

struct FileKind {
  std::string_view name;  // "zip", "png", "text", "unknown"
  FileClass file_class = FileClass::unknown;
};

inline constexpr std::size_t kHeadBytes = 4096;  // enough for every signature, tar's at 257 too

FileKind identify(Bytes head);

}  // namespace thimble::gauge
