// Target: the GGUF reader and the expansion of its blocks.
#include "formats/gguf/gguf.h"

#include "formats/gguf/blocks.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& to, std::string_view text) {
  put(to, static_cast<std::uint64_t>(text.size()));
  to += text;
}

// One entry of each kind of value, one tensor of `rows` blocks.
std::string file_of(const formats::BlockType& type) {
  std::string s = "GGUF";
  put(s, std::uint32_t{3});
  put(s, std::uint64_t{1});
  put(s, std::uint64_t{2});
  put_text(s, "general.name");
  put(s, std::uint32_t{8});
  put_text(s, "small");
  put_text(s, "list");
  put(s, std::uint32_t{9});
  put(s, std::uint32_t{4});
  put(s, std::uint64_t{2});
  put(s, std::uint64_t{7});
  put_text(s, "w");
  put(s, std::uint32_t{2});
  put(s, static_cast<std::uint64_t>(type.elements));
  put(s, std::uint64_t{2});
  put(s, type.id);
  put(s, std::uint64_t{0});
  s.resize((s.size() + 31) / 32 * 32, '\0');
  return s + std::string(2 * type.bytes, '\x35');
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const formats::BlockType& type : formats::block_types()) all.push_back(file_of(type));
  return all;
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const auto file = formats::GgufFile::parse(fuzz::bytes_of(fuzz::text_of(data, size)), "input");
    for (const auto& [name, tensor] : file.tensors()) {
      fuzz::touch(tensor.stored_bytes());
      if (formats::find_block_type(tensor.stored_type()) == nullptr) continue;
      const graph::Tensor values = formats::expand_blocks(tensor, DType::f32);
      fuzz::touch({values.data(), values.type().bytes()});
    }
  });
}
