// Target: ELF files.
#include "gauge/apk/elf.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  return {gauge::testing::make_elf(
              {.needed = {"libc.so", "libm.so"}, .exported = {"Java_a_b"}, .imported = {"malloc", "free"}}),
          gauge::testing::make_elf({.soname = "a.so"})};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const gauge::Elf elf = gauge::read_elf(fuzz::bytes_of(fuzz::text_of(data, size)));
    for (const auto* list : {&elf.needed, &elf.exported, &elf.imported, &elf.versions}) {
      for (const std::string_view name : *list) fuzz::touch(fuzz::bytes_of(name));
    }
    fuzz::touch(fuzz::bytes_of(elf.soname));
  });
}
