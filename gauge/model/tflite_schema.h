// Names of TensorFlow Lite's operators, element types and option fields, as its schema numbers them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gauge/model/model.h"

namespace thimble::gauge {

inline constexpr std::int32_t kTfliteCustom = 32;

std::string_view tflite_op_name(std::int32_t code);  // empty when the number is not known
ElementType tflite_element(std::uint8_t type);       // name "type 99" becomes "unknown"

// One field of an operator's options: its place in the vtable, how it is stored, and what it is called here.
struct TfliteOption {
  enum Kind : std::uint8_t { byte, i32, f32, flag, ints };
  std::uint16_t slot;
  Kind kind;
  std::string_view name;
  std::int32_t fallback = 0;
};

std::span<const TfliteOption> tflite_options(std::string_view op);

}  // namespace thimble::gauge
