// Choosing a row of a family's kernel table. Rows are ordered best first, the scalar ones last.
#pragma once

#include <span>

#include "base/cpu.h"
#include "base/dtype.h"

namespace thimble::kernels {

// The first row of `type` that this machine can run and that is not above `cap`; nullptr if there is none.
template <class Row>
const Row* pick_row(std::span<const Row* const> rows, DType type, Isa cap) {
  for (const Row* row : rows) {
    if (row->type == type && row->isa <= cap && supports(cpu(), row->isa)) return row;
  }
  return nullptr;
}

}  // namespace thimble::kernels
