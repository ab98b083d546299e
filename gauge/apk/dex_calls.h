// Calls in the code of a dex file: which class calls which method. Instructions are stepped over by their lengths and
// only the invoke kinds are looked at; nothing is decompiled, and reflection is not seen.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "gauge/apk/dex.h"

namespace thimble::gauge {

// Calls f(caller's class as a type index, method index) for every call, in the order of the code. bad_file or Truncated
// when code does not hold together.
void for_each_call(const Dex& dex, FunctionRef<void(std::uint32_t caller, std::uint32_t method)> f);

}  // namespace thimble::gauge
