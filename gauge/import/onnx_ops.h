// The families of ONNX's operators; onnx_ops.cpp joins them into one table.
#pragma once

#include "gauge/import/context.h"

namespace thimble::gauge {

HandlerTable onnx_movement_handlers();
HandlerTable onnx_layer_handlers();
HandlerTable onnx_recurrent_handlers();
HandlerTable onnx_quantised_handlers();
HandlerTable onnx_attention_handlers();

inline std::int64_t opset(const Context& c) {
  const auto it = c.model.opsets.find("");
  return it == c.model.opsets.end() ? 1 : it->second;
}

// Axes as an attribute (older operator sets) or as input `i`; empty when neither is there.
inline std::vector<std::int64_t> axes_of(const Context& c, std::size_t i) {
  if (c.op.has("axes")) return c.op.integers("axes");
  return c.has(i) ? c.e.known_integers(c.in(i), "axes") : std::vector<std::int64_t>{};
}

}  // namespace thimble::gauge
