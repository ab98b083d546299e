// What the targets of the foreign formats' readers share. An input is a length of four bytes and that many bytes of the
// main file, then for each file beside it a length of one byte, its name, a length of four bytes and its bytes.
#pragma once

#include <algorithm>
#include <cstring>

#include "gauge/analysis/analysis.h"
#include "gauge/model/readers.h"
#include "gauge/testing/tiny_models.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

inline std::string joined_input(const gauge::testing::TinyForeign& m) {
  const auto length = [](std::size_t n) {
    std::string out(4, '\0');
    const auto v = static_cast<std::uint32_t>(n);
    std::memcpy(out.data(), &v, 4);
    return out;
  };
  std::string out = length(m.main.size()) + m.main;
  for (const auto& [name, bytes] : m.parts) {
    out += static_cast<char>(name.size()) + name + length(bytes.size()) + bytes;
  }
  return out;
}

class Parts final : public gauge::Siblings {
 public:
  explicit Parts(gauge::Bytes bytes) {
    gauge::Reader r(bytes, "parts");
    while (r.left() > 5) {
      const std::string name(gauge::text_of(r.take(std::min<std::size_t>(r.u8(), r.left()))));
      if (r.left() < 4) return;
      const std::size_t length = r.u32();
      parts_[name] = r.take(std::min(length, r.left()));
    }
  }
  std::optional<gauge::Content> find(const std::string& name) const override {
    const auto it = parts_.find(name);
    if (it == parts_.end()) return std::nullopt;
    return gauge::Content{it->second, nullptr};
  }

 private:
  std::map<std::string, gauge::Bytes> parts_;
};

inline std::vector<std::string> foreign_seeds(std::string_view format) {
  std::vector<std::string> out;
  for (const auto& m : gauge::testing::tiny_foreign()) {
    if (m.format == format) out.push_back(joined_input(m));
  }
  return out;
}

// Reads the model and says all that the analysis says of it.
inline int foreign_target(std::string_view format, const char* path, const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  std::uint32_t length = 0;
  std::memcpy(&length, data, 4);
  length = static_cast<std::uint32_t>(std::min<std::size_t>(length, size - 4));
  const auto all = bytes_of(text_of(data + 4, size - 4));
  return survives([&] {
    const Parts part(all.subspan(length));
    const gauge::Model model = gauge::reader_of(format)->read({all.first(length), path, &part, {}});
    for (const auto& g : model.graphs) {
      for (const auto& t : g.tensors) touch(t.bytes);
    }
    const gauge::Analysis a = gauge::analyze(model, path, all.first(length), {});
    require(a.parameters >= 0 && a.uncounted <= static_cast<std::int64_t>(a.layers.size()));
  });
}

}  // namespace thimble::fuzz
