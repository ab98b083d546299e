// Target: dex files and all they point to.
#include "gauge/apk/dex.h"
#include "gauge/apk/dex_calls.h"
#include "gauge/testing/material.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

std::vector<std::string> seeds() {
  return {gauge::testing::make_dex({.defined = {"La/B;", "La/C;"},
                                    .referenced = {"I", "[La/D;"},
                                    .methods = {{"La/B;", "run"}, {"I", "x"}},
                                    .strings = {"text", "caf\xc3\xa9", "\xed\xa0\xbd\xed\xb8\x80"},
                                    .calls = {{0, 0}, {1, 1}}}),
          gauge::testing::make_dex({})};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
  return fuzz::survives([&] {
    for (std::size_t at = 0; at < size;) {
      const gauge::Dex dex = gauge::Dex::parse(bytes, at);
      std::size_t length = 0;
      for (std::uint32_t i = 0; i < dex.strings(); ++i) length += gauge::mutf8_to_utf8(dex.string(i)).size();
      for (std::uint32_t i = 0; i < dex.types(); ++i) length += dex.type(i).size();
      for (std::uint32_t i = 0; i < dex.methods(); ++i) length += dex.method(i).name.size();
      for (std::uint32_t i = 0; i < dex.classes(); ++i) fuzz::require(dex.class_type(i) < dex.types());
      gauge::for_each_call(dex, [&](std::uint32_t caller, std::uint32_t) { fuzz::require(caller < dex.types()); });
      fuzz::require(dex.next() > at);
      at = dex.next();
    }
  });
}
