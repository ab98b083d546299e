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
  std::string type;                            // "Convolution"; of binary files by number, "#200" when it is not known
  std::string name;                            // empty in binary files
  std::vector<std::string> inputs, outputs;    // blobs; numbers in binary files
  std::map<int, std::int64_t> parameters;      // whole numbers: k=v
  std::map<int, std::vector<double>> numbers;  // all others, arrays by their own key (-23301=2,0.2,1 is key 1)

  std::int64_t get(int key, std::int64_t fallback = 0) const {
    const auto at = parameters.find(key);
    return at == parameters.end() ? fallback : at->second;
  }
  std::vector<double> list(int key) const {
    const auto at = numbers.find(key);
    return at == numbers.end() ? std::vector<double>{} : at->second;
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
