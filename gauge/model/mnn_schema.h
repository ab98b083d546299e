// Tables of MNN's schema (FlatBuffers): kinds of operators, and the fields of their parameters that are read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace thimble::gauge {

struct MnnField {
  enum Kind { whole, byte, flag, real, ints, weights };  // `weights`: numbers of the layer, behind its inputs
  std::uint8_t parameter;                                // of the union: 9 is Convolution2D
  std::uint8_t slot;
  Kind kind;
  std::string_view name;
  double fallback = 0;
};

std::string mnn_op_name(std::int32_t type);  // "Convolution"; "OP_999"
std::span<const MnnField> mnn_fields();
inline constexpr std::uint8_t kMnnBlob = 7, kMnnConvolution = 9, kMnnInnerProduct = 20, kMnnInput = 21;
std::span<const MnnField> mnn_convolution_fields();  // of the table that convolutions share

}  // namespace thimble::gauge
