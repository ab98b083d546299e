// The layer list of ncnn in both its forms, text and binary, for the probes of .param and .bin files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gauge/bytes.h"

namespace thimble::gauge {

inline constexpr std::string_view kNcnnTextMagic = "7767517";
inline constexpr std::uint32_t kNcnnBinaryMagic = 0x007685DD;

struct NcnnLayer {
  std::string type;                        // "Convolution"; of binary files "#6"
  std::map<int, std::int64_t> parameters;  // whole numbers only: k=v

  std::int64_t get(int key, std::int64_t fallback = 0) const {
    const auto at = parameters.find(key);
    return at == parameters.end() ? fallback : at->second;
  }
};

struct NcnnNetwork {
  std::vector<NcnnLayer> layers;
  std::uint64_t blobs = 0;
  std::uint64_t bytes = 0;  // of the list itself
};

// Both fail with bad_file or Truncated. Old text files have no magic line; `needs_magic` refuses those.
NcnnNetwork read_ncnn_text(std::string_view text, bool needs_magic);
NcnnNetwork read_ncnn_binary(Bytes bytes);

}  // namespace thimble::gauge
