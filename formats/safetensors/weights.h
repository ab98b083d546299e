// Tensors of safetensors files as weights of graphs. Bytes stay where the file is mapped.
// 8-bit floats (F8_E4M3 and F8_E5M2 of the OCP specification, Micikevicius et al. 2022) are widened: both fit bf16
// without loss. Not here: what the tensors are called (formats/thimble, formats/diffusers).
#pragma once

#include <cstdint>
#include <memory>

#include "formats/safetensors/safetensors.h"
#include "graph/weights.h"

namespace thimble::formats {

// The tensor with the bytes of `info`, which `owner` keeps alive. Copied when they are not aligned for their type, as
// in files written by others, or converted to `f8_as` (a float type) when they are 8-bit floats. Fails with
// `unsupported`, naming tensor and type, when Thimble has no such type.
graph::Tensor map_tensor(const TensorInfo& info, const std::shared_ptr<const void>& owner, DType f8_as = DType::bf16);

graph::Weights map_weights(const TensorMap& tensors, const std::shared_ptr<const void>& owner,
                           DType f8_as = DType::bf16);

float f8_e4m3_to_f32(std::uint8_t bits);  // 1-4-3, bias 7: no infinities, all ones is NaN, largest 448
float f8_e5m2_to_f32(std::uint8_t bits);  // 1-5-2, bias 15: the upper byte of an f16

}  // namespace thimble::formats
