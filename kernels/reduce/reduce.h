// Sum, mean, max, min and product over any axes of a contiguous tensor. f32 and bf16 in, the same type out.
// Sums are taken in f32 over at most 66 terms a lane and joined in double: within 4e-6 of the sum of magnitudes at
// worst and under 1e-6 as a rule, for any length. Products are rounded to f32 term by term. The order of terms is fixed
// by the shape, never by the threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"
#include "kernels/reduce/copy.h"

namespace thimble::kernels {

enum class ReduceOp : std::uint8_t { sum, mean, max, min, prod };

// y holds the kept axes in order, contiguous. NaN among the terms of max or min gives NaN. No axis may be empty.
struct ReduceArgs {
  int rank = 0;
  std::int64_t shape[8] = {};
  bool reduced[8] = {};
  const void* x = nullptr;
  void* y = nullptr;  // apart from x
  ReduceOp op = ReduceOp::sum;
};

struct ReduceKernels {
  Isa isa;
  DType type;  // f32 or bf16
  std::string_view name;
  // One contiguous run of n elements. `mean` is not asked for here.
  double (*row)(ReduceOp op, const void* x, std::int64_t n);
  // acc[c] = acc[c] op x[c] over `rows` rows (at most 256) that lie `stride` elements apart; n columns, acc preset.
  // Goes by rows, four at a time: memory is read in order.
  void (*columns)(ReduceOp op, const void* x, std::int64_t rows, std::int64_t stride, float* acc, std::int64_t n);
};

std::span<const ReduceKernels* const> reduce_kernels();  // rows of this build, best first
const ReduceKernels* pick_reduce(DType type, Isa cap);   // nullptr for other types

void reduce(const ReduceKernels& kernels, const ReduceArgs& args, ThreadPool& pool) noexcept;

}  // namespace thimble::kernels
