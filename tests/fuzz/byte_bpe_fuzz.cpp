// Target: byte-level BPE. The input up to the first zero byte is a vocabulary as JSON (a built-in one serves when it is
// refused), the rest is text. Encoding must be undone by decoding.
#include "text/byte_bpe.h"

#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

const text::ByteBpe& built_in() {
  static const text::ByteBpe bpe = text::train_byte_bpe(
      {{"a red cat, a red hat", 3}, {"two caf\xc3\xa9s \xf0\x9f\x98\x80 12", 2}}, {.vocab_size = 300});
  return bpe;
}

void round_trip(const text::ByteBpe& bpe, std::string_view input) {
  const auto ids = bpe.encode(input);
  std::string wanted;
  for (const std::string& word : text::split_words(input)) wanted += word;
  if (!wanted.empty()) wanted.erase(0, 1);
  require(bpe.decode(ids) == wanted);
  require(bpe.encode(wanted) == ids);
  auto cut = ids;
  const std::size_t dropped = text::fit_to(cut, 7);
  require(cut.size() + dropped == ids.size());
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string text = "A red Caf\xc3\xa9, 12 \xf0\x9f\x98\x80!\n  red red";
  return {built_in().to_json().dump() + '\0' + text, text, std::string(300, 'a') + " b"};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t zero = input.find('\0');
  fuzz::survives([&] { fuzz::round_trip(fuzz::built_in(), input); });
  if (zero == std::string_view::npos) return 0;
  return fuzz::survives([&] {
    const auto bpe = text::ByteBpe::from_json(parse_json(input.substr(0, zero), "input"), "input");
    fuzz::round_trip(bpe, input.substr(zero + 1));
  });
}
