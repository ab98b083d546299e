// Target: CLIP's tokenizer. The input up to the first zero byte is a list of merges, the rest is text.
#include "text/clip_bpe.h"

#include <algorithm>

#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

void tokenize(const text::ClipBpe& clip, std::string_view input) {
  const auto ids = clip.encode(input);
  require(std::all_of(ids.begin(), ids.end(), [&](std::int32_t id) { return id >= 0 && id < clip.vocab_size(); }));
  // Every word ends with a space in decode(), so only the spaces may differ from the cleaned text.
  std::string wanted = text::clean_clip_text(input), got = clip.decode(ids);
  if (wanted.find("<|") == std::string::npos) {
    std::erase(wanted, ' ');
    std::erase(got, ' ');
    require(wanted == got);
  }
}

std::size_t merges_of(std::string_view vocabulary) {
  const auto lines = static_cast<std::size_t>(std::count(vocabulary.begin(), vocabulary.end(), '\n'));
  return lines == 0 ? 0 : lines - 1;
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string vocabulary = "#v\nc a\nca t</w>\nt h\nth e</w>\n";
  const std::string input =
      "The  cat's caf\xc3\xa9, &amp; &#233; \xe2\x80\x9cq\xe2\x80\x9d 12 \xef\xbc\xa1 \xce\xa3 \xf0\x9f\x98\x80 "
      "<|endoftext|>";
  return {vocabulary + '\0' + input, std::string("#v\n") + '\0' + "don't they've &lt;"};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string_view input = fuzz::text_of(data, size);
  const std::size_t zero = std::min(input.find('\0'), size);
  const std::string_view vocabulary = input.substr(0, zero), text = input.substr(std::min(zero + 1, size));
  static const auto plain = text::ClipBpe::parse("#\n", "none", 0);
  fuzz::survives([&] { fuzz::tokenize(plain, text); });
  return fuzz::survives(
      [&] { fuzz::tokenize(text::ClipBpe::parse(vocabulary, "input", fuzz::merges_of(vocabulary)), text); });
}
