// The numbers of one ncnn layer, as its .bin file holds them one after another: most behind a tag that says how they
// are stored, some bare because the layer knows.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gauge/bytes.h"
#include "gauge/probes/ncnn_param.h"

namespace thimble::gauge {

struct NcnnBlob {
  std::string_view name, type;  // "weight", "f16"; "table8": 256 values and an index of 8 bits for each number
  std::uint64_t count = 0;
  Bytes bytes;  // of f32, f16, bf16 and i8 without padding
};

// Takes them from `r`. None for a layer whose bytes are not known; nothing was taken then.
std::optional<std::vector<NcnnBlob>> ncnn_weights(Reader& r, const NcnnLayer& layer);

}  // namespace thimble::gauge
