// For micro-kernels that know one group at a time.
#pragma once

#include <cstdint>

namespace thimble::kernels {
namespace {

// one(a, w, k, accumulate, scale) for every group of k; once, with the arguments as they are, without scales.
template <class One>
inline void for_groups(const void* a, std::int64_t a_bytes, const std::int8_t* w, int nr, std::int64_t k,
                       bool accumulate, const float* scale, std::int64_t group, One one) {
  const auto* panel = static_cast<const char*>(a);
  if (!scale) group = k;
  do {
    one(panel, w, k < group ? k : group, accumulate, scale);
    accumulate = true;
    panel += group * a_bytes;
    w += group * nr;
    if (scale) scale += nr;
    k -= group;
  } while (k > 0);
}

}  // namespace
}  // namespace thimble::kernels
