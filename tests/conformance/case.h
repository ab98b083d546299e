// The conformance list: small graphs that together use every op, kind and edge. All executors are judged by it
// (judge.h). To add a case, add a row to the family's file (cases_*.cpp). Keep cases small: the list also runs under an
// emulator.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/builder.h"

namespace thimble::conformance {

// How one graph input is drawn: floats uniform in [lo, hi), integers uniform in [lo, hi], bools a fair coin.
// `values`, if any, are repeated in order instead.
struct Domain {
  double lo = -2, hi = 2;
  std::vector<double> values;
};

// Largest accepted |a - b| / max(|b|, rms(b)) over the elements of an output; b is the reference.
// Integer and bool outputs must be equal in either precision.
struct Tolerance {
  double f32 = 0, bf16 = 0;
  std::string_view reason;
};

struct Case {
  std::string name;  // letters, digits and underscores
  Tolerance tolerance;
  std::function<void(graph::Builder&)> build;
  std::vector<Domain> domains = {};  // as graph.inputs; those not given are Domain{}
  DType weight_dtype = DType::f32;   // as parameters lie in the store
  std::uint64_t seed = 1;

  graph::Graph graph() const;
};

// The families, one file each.
void add_elementwise_cases(std::vector<Case>& cases);
void add_movement_cases(std::vector<Case>& cases);
void add_matrix_cases(std::vector<Case>& cases);
void add_image_cases(std::vector<Case>& cases);
void add_norm_cases(std::vector<Case>& cases);
void add_attention_cases(std::vector<Case>& cases);
void add_quantized_cases(std::vector<Case>& cases);
void add_fused_cases(std::vector<Case>& cases);

std::vector<Case> all_cases();

// One rounding of the result, in the precision's format.
inline constexpr Tolerance kExact{0, 0, "values are moved, not computed; inputs are representable in either precision"};
inline constexpr Tolerance kRounded{2e-6, 4e-3, "one operation, one rounding: 2^-24 or 2^-9, and a polynomial's error"};
inline constexpr Tolerance kSum{1e-5, 6e-3, "sums of up to a thousand products in f32, one rounding of the result"};
inline constexpr Tolerance kPower{1e-5, 4e-3, "exp(b log a): the error of the logarithm grows with b log a"};
inline constexpr Tolerance kNorm{1e-5, 8e-3, "statistics in f32, one rounding of the result"};
// An executor may store scores in bf16: one of 4 is then off by up to 2^-7 and its probability by 0.8 %, of values that
// are some five times the output, which averages them. Executors that keep scores in f32 stay below half of it.
inline constexpr Tolerance kAttention{2e-5, 4e-2,
                                      "scores of up to 4 rounded by 2^-9 of themselves, averages of values"};
// Of K products one may be off by a whole step of its activation: 1 of 127, in one of K terms that add up like a walk.
inline constexpr Tolerance kRoundedEitherWay{
    2e-2, 2.5e-2, "an activation halfway between two steps may be rounded either way, in f32 and in double"};
inline constexpr Tolerance kChain{3e-5, 2.5e-2, "several operations; in bf16 each may round its result"};

}  // namespace thimble::conformance
