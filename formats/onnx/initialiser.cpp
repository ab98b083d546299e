#include "formats/onnx/initialiser.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace thimble::formats {
namespace {

using Form = Initialiser::Form;

// (rows, columns) to (columns, rows), in blocks that stay in the first cache.
void transpose(const std::byte* from, std::byte* to, std::size_t rows, std::size_t columns, std::size_t size) {
  constexpr std::size_t kBlock = 32;
  for (std::size_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (std::size_t c0 = 0; c0 < columns; c0 += kBlock) {
      for (std::size_t c = c0; c < std::min(columns, c0 + kBlock); ++c) {
        for (std::size_t r = r0; r < std::min(rows, r0 + kBlock); ++r) {
          std::memcpy(to + (c * rows + r) * size, from + (r * columns + c) * size, size);
        }
      }
    }
  }
}

// Element `i` of a row of int4, two a byte.
int nibble(const std::byte* row, std::size_t i) {
  const unsigned bits = std::to_integer<unsigned>(row[i / 2]) >> (i % 2 * 4) & 15U;
  return bits < 8 ? static_cast<int>(bits) : static_cast<int>(bits) - 16;
}

std::vector<std::byte> transposed_nibbles(const graph::Tensor& t, bool whole_bytes) {
  const auto outputs = static_cast<std::size_t>(t.shape()[0]), packed = static_cast<std::size_t>(t.shape()[1]);
  const std::size_t inputs = 2 * packed;
  std::vector<std::byte> out(whole_bytes ? inputs * outputs : inputs * outputs / 2);
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::byte* row = t.data() + o * packed;
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::size_t at = i * outputs + o;
      if (whole_bytes) {
        out[at] = static_cast<std::byte>(nibble(row, i));
      } else {
        out[at / 2] |= static_cast<std::byte>((static_cast<unsigned>(nibble(row, i)) & 15U) << (at % 2 * 4));
      }
    }
  }
  return out;
}

std::vector<std::byte> sums(const graph::Tensor& t, bool nibbles) {
  const auto outputs = static_cast<std::size_t>(t.shape()[0]), bytes = static_cast<std::size_t>(t.shape()[1]);
  std::vector<std::byte> out(outputs * sizeof(float));
  for (std::size_t o = 0; o < outputs; ++o) {
    const std::byte* row = t.data() + o * bytes;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < (nibbles ? 2 * bytes : bytes); ++i) {
      sum += nibbles ? nibble(row, i) : static_cast<std::int8_t>(std::to_integer<std::uint8_t>(row[i]));
    }
    const auto value = static_cast<float>(sum);
    std::memcpy(out.data() + o * sizeof value, &value, sizeof value);
  }
  return out;
}

}  // namespace

OnnxType onnx_type(DType type) {
  switch (type) {
    case DType::f32: return OnnxType::f32;
    case DType::bf16: return OnnxType::bf16;
    case DType::f16: return OnnxType::f16;
    case DType::f64: return OnnxType::f64;
    case DType::i32: return OnnxType::i32;
    case DType::i64: return OnnxType::i64;
    case DType::i8: return OnnxType::i8;
    case DType::u8: return OnnxType::u8;
    case DType::boolean: return OnnxType::boolean;
  }
  fail(ErrorKind::internal, "onnx: unknown element type");
}

std::uint64_t Initialiser::bytes() const {
  if (parameter.empty()) return literal.size();
  const auto n = static_cast<std::uint64_t>(graph::element_count(shape));
  switch (type) {
    case OnnxType::f64:
    case OnnxType::i64: return 8 * n;
    case OnnxType::f32:
    case OnnxType::i32: return 4 * n;
    case OnnxType::f16:
    case OnnxType::bf16: return 2 * n;
    case OnnxType::i4: return (n + 1) / 2;
    case OnnxType::u8:
    case OnnxType::i8:
    case OnnxType::boolean: return n;
  }
  return 0;
}

std::vector<std::byte> bytes_of(const Initialiser& what, const OnnxWeights& weights, const graph::TensorType& wanted) {
  if (what.parameter.empty()) {
    const auto* p = reinterpret_cast<const std::byte*>(what.literal.data());
    return {p, p + what.literal.size()};
  }
  graph::Tensor t = weights(what.parameter);
  const bool alike = t.type().dtype == wanted.dtype || (is_float(t.type().dtype) && is_float(wanted.dtype));
  if (t.type().elements() != wanted.elements() || !alike) {
    fail(ErrorKind::bad_file, "weight '{}' is {}, the graph wants {}", what.parameter, to_string(t.type()),
         to_string(wanted));
  }
  t = t.reshaped(wanted.shape);
  std::vector<std::byte> out;
  switch (what.form) {
    case Form::as_stored:
    case Form::transposed: {
      if (is_float(t.type().dtype)) t = t.to(what.stored);
      out.resize(t.type().bytes());
      if (what.form == Form::as_stored) {
        std::memcpy(out.data(), t.data(), out.size());
      } else {
        transpose(t.data(), out.data(), static_cast<std::size_t>(t.shape()[0]), static_cast<std::size_t>(t.shape()[1]),
                  size_of(t.type().dtype));
      }
      break;
    }
    case Form::nibbles_transposed: out = transposed_nibbles(t, false); break;
    case Form::bytes_of_nibbles_transposed: out = transposed_nibbles(t, true); break;
    case Form::column_sums: out = sums(t, false); break;
    case Form::nibble_sums: out = sums(t, true); break;
  }
  check(out.size() == what.bytes(), "onnx: a tensor has another length than was said");
  return out;
}

}  // namespace thimble::formats
