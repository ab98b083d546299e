// ELF shared libraries, 32 and 64 bits, little endian: what they need, what they are called, which names they give and
// take. Strings inside are searched by gauge/detect, which scans the whole file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gauge/bytes.h"

namespace thimble::gauge {

struct Elf {
  std::string_view machine;  // "arm64-v8a", "armeabi-v7a", "x86_64", "x86", "riscv64" or "other"
  bool wide = false;         // 64 bits
  std::string_view soname;
  std::vector<std::string_view> needed;    // libraries
  std::vector<std::string_view> exported;  // dynamic symbols defined here, "Java_..." among them
  std::vector<std::string_view> imported;  // undefined ones
  std::vector<std::string_view> versions;  // names of the versions it defines: "VERS_1.24.0"
};

// Views lie in `bytes`. A file without dynamic section (a program that is linked statically) has empty lists.
Elf read_elf(Bytes bytes);

}  // namespace thimble::gauge
