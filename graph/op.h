// The variant of all ops, made from ops.inc, and what every op has: a name, a shape rule, a cost.
#pragma once

#include <span>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "graph/ops/attention.h"
#include "graph/ops/elementwise.h"
#include "graph/ops/image.h"
#include "graph/ops/matrix.h"
#include "graph/ops/movement.h"
#include "graph/ops/norm.h"
#include "graph/ops/quantized.h"
#include "graph/ops/reduce.h"
#include "graph/tensor.h"

namespace thimble::graph {

namespace internal {
struct Nothing {};  // starts the list, so that every row can begin with a comma
template <class First, class... Rest>
std::variant<Rest...> variant_without_first(std::variant<First, Rest...>);
#define CORE(type, name) , type
#define MODULE(type, name) , type
using Rows = std::variant<Nothing
#include "graph/ops.inc"
                          >;
#undef CORE
#undef MODULE
}  // namespace internal

using Op = decltype(internal::variant_without_first(std::declval<internal::Rows>()));

template <class T>
struct OpTraits;
#define CORE(type, text)                            \
  template <>                                       \
  struct OpTraits<type> {                           \
    static constexpr std::string_view kName = text; \
    static constexpr bool kCore = true;             \
  };
#define MODULE(type, text)                          \
  template <>                                       \
  struct OpTraits<type> {                           \
    static constexpr std::string_view kName = text; \
    static constexpr bool kCore = false;            \
  };
#include "graph/ops.inc"
#undef CORE
#undef MODULE

template <class T>
concept ModuleOp = !OpTraits<T>::kCore;

inline std::string_view op_name(const Op& op) {
  return std::visit([](const auto& o) { return OpTraits<std::remove_cvref_t<decltype(o)>>::kName; }, op);
}

// Type of the result, or bad_input naming the op and the broken constraint. Every op has one result.
TensorType infer_type(const Op& op, std::span<const TensorType> inputs);

// Floating-point operations of one evaluation; a multiply-add counts 2. Moves count 0.
double op_flops(const Op& op, std::span<const TensorType> inputs, const TensorType& output);

}  // namespace thimble::graph
