// A fuzz target is one small file with the two functions below. The entry is the usual one, so that libFuzzer (clang,
// THIMBLE_FUZZ=ON) and our own bounded driver (any compiler) run the same targets. A target swallows thimble::Error,
// which is the right answer to a bad input; anything else (a signal, another exception, std::abort) is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace thimble::fuzz {

// Valid inputs, made in code, that mutations start from. The driver writes them out for libFuzzer.
std::vector<std::string> seeds();

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Touches every byte, so that a span past the end of its buffer is seen by the sanitizers.
inline unsigned touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  return sum;
}

inline void require(bool ok) {
  if (!ok) std::abort();
}

// How often a body of survives() came to its end; tells whether a target still reaches beyond the first refusal.
inline std::size_t accepted = 0;

template <class F>
int survives(F&& f) {
  try {
    f();
    ++accepted;
  } catch (const Error& e) {
    require(e.kind() != ErrorKind::internal);
  }
  return 0;
}

}  // namespace thimble::fuzz
