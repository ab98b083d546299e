// What a machine could do at most, measured when asked: the rate of a kernel's inner loop on operands that lie in the
// first cache, of exponentials, and of reading memory. The scale for profiles; nothing is chosen by it.
// Not here: rates of whole products, which benchmarks measure.
#pragma once

#include <map>
#include <string>

#include "base/cpu.h"
#include "base/dtype.h"

namespace thimble::runtime {

class Rates {
 public:
  Rates(Isa isa, int threads) : isa_(isa), threads_(threads) {}

  // Operations a second, with all threads, of the inner loop that serves a step: `kernel` is StepReport::kernel, type
  // the element type of its result. 0: not a step whose time is multiplications. Some 20 ms for each new kernel.
  double of_kernel(const std::string& kernel, DType type);

  // Exponentials of f32 a second, with all threads. Some milliseconds, once.
  double exponentials();

  // Bytes a second of reading memory that no cache holds, with all threads. Some 100 ms, once.
  double reading();

 private:
  Isa isa_;
  int threads_;
  std::map<std::string, double, std::less<>> known_;
  double exponentials_ = 0, reading_ = 0;
};

}  // namespace thimble::runtime
