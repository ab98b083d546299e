// Blocks of quantised numbers as GGUF files store them: a row is cut into blocks of 32 or 256 elements, each with its
// scales and its small integers. Read to floats; Q8_0 is also written. Not here: the file around them (gguf.h), the
// project's own quantised layouts (kernels/).
//
//   d, m, dmin: f16 scales and offsets          x: an element          q: its integer
//   Q8_0  x = d q, q of 8 bits                  Q4_0, Q5_0  x = d (q - 8 or 16)      Q4_1, Q5_1  x = d q + m
//   Q2_K, Q4_K, Q5_K  x = d s q - dmin t, with integers s and t for every 16 or 32 elements
//   Q3_K, Q6_K        x = d s q, q centred
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/dtype.h"
#include "formats/safetensors/safetensors.h"
#include "graph/tensor.h"

namespace thimble::formats {

struct BlockType {
  std::string_view name;  // "Q4_K"
  std::uint32_t id;       // in GGUF files
  std::size_t elements, bytes;
  void (*expand)(const std::byte* block, float* to);  // `elements` floats
};
std::span<const BlockType> block_types();
const BlockType* find_block_type(std::string_view name);  // null when there is none

// The tensor in a float type. bad_file when rows are no whole number of blocks; `info.stored_type()` must be a block
// type's name.
graph::Tensor expand_blocks(const TensorInfo& info, DType as);

// n floats, a multiple of 32, as Q8_0 blocks of 34 bytes. Integers are rounded to nearest, scales to f16.
void write_q8_0(const float* from, std::size_t n, std::byte* to);

}  // namespace thimble::formats
