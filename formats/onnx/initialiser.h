// A constant of an ONNX model: what it is called and how long it is, known before its bytes are; and its bytes, made
// from a parameter when it is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "formats/onnx/onnx.h"
#include "graph/tensor.h"

namespace thimble::formats {

// TensorProto.DataType
enum class OnnxType : std::uint8_t {
  f32 = 1,
  u8 = 2,
  i8 = 3,
  i32 = 6,
  i64 = 7,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  bf16 = 16,
  i4 = 22,
};
OnnxType onnx_type(DType type);

struct Initialiser {
  // What is done to the parameter's elements.
  enum class Form : std::uint8_t {
    as_stored,   // perhaps seen under another shape
    transposed,  // of two axes
    // u8 (O, I/2) of two int4 a byte, the even one low, as int4 (I, O): ONNX packs the same way, along the last axis.
    nibbles_transposed,
    bytes_of_nibbles_transposed,  // the same as i8 (I, O)
    column_sums,                  // of i8 (O, I), as f32 (O): the sum of each output's weights
    nibble_sums,                  // the same of u8 (O, I/2)
  };

  std::string name;
  OnnxType type = OnnxType::f32;
  graph::Shape shape;     // of what is written
  std::string parameter;  // empty: `literal` holds the bytes
  Form form = Form::as_stored;
  DType stored = DType::f32;  // of as_stored and transposed: the type to convert to
  std::string literal;

  std::uint64_t bytes() const;
};

// The bytes of one; bad_file when the tensor is not what its parameter wants.
std::vector<std::byte> bytes_of(const Initialiser& what, const OnnxWeights& weights, const graph::TensorType& wanted);

}  // namespace thimble::formats
